//! A cursor goes into a URL as it is, whoever sent it.

use custody::feed::SyncRequest;
use lease::{CURSOR_LENGTH, SYNC_WAIT_CEILING, SeenReport, SyncAnswer, is_cursor};

pub fn check(bytes: &[u8]) {
    if let Ok(answer) = SyncAnswer::decode(bytes) {
        check_cursor(&answer.cursor);
        let encoded = answer.encode().unwrap();
        assert_eq!(SyncAnswer::decode(&encoded), Ok(answer));
    }
    if let Ok(report) = SeenReport::decode(bytes) {
        let encoded = report.encode().unwrap();
        assert_eq!(SeenReport::decode(&encoded), Ok(report));
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    if is_cursor(text) {
        check_cursor(text);
    }
    let Ok(request) = SyncRequest::parse(text) else { return };
    assert!(request.wait.as_secs() <= SYNC_WAIT_CEILING, "{text}");
    let mut query = format!("wait={}", request.wait.as_secs());
    if let Some(cursor) = &request.cursor {
        check_cursor(cursor);
        query = format!("{query}&cursor={cursor}");
    }
    assert_eq!(SyncRequest::parse(&query), Ok(request), "{query}");
}

/// RFC 3986: unreserved characters alone, so that nothing in it ends the value or needs an escape.
fn check_cursor(cursor: &str) {
    assert!((1..=CURSOR_LENGTH).contains(&cursor.len()), "{cursor}");
    let is_unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    assert!(cursor.chars().all(is_unreserved), "{cursor}");
    let request = SyncRequest::parse(&format!("cursor={cursor}")).unwrap();
    assert_eq!(request.cursor.as_deref(), Some(cursor));
}
