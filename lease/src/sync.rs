//! The revocations that custody publishes to edges: the answer to `GET /v1/sync?cursor=C&wait=S`.
//!
//! Without a cursor, or with an unknown one, the answer is the whole state (`full: true`). With one, custody
//! holds the answer back until something changed or `wait` seconds (0 to 30) have passed. Edges report
//! sessions in use by `POST /v1/seen`.

use crate::UnixSeconds;
use crate::request::Malformed;
use serde::{Deserialize, Serialize};

/// Longest `wait`, seconds.
pub const SYNC_WAIT_CEILING: u64 = 30;
/// Longest cursor, bytes of visible ASCII.
pub const CURSOR_LENGTH: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncAnswer {
    /// For the next call. Opaque.
    pub cursor: String,
    /// `changes` are all there is; what was known before is void.
    pub full: bool,
    /// Nothing may be leased or used while this is set.
    pub kill_switch: bool,
    /// In the order in which they happened.
    pub changes: Vec<SyncChange>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncChange {
    pub kind: SyncKind,
    pub id: String,
    /// `false`: a revocation was taken back.
    pub revoked: bool,
    /// The edge may drop it then; absent: it stays until it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixSeconds>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncKind {
    /// `id` is the session's name: its issuer, `#`, and what the issuer calls it.
    Session,
    /// `id` is a `lease_id`.
    Lease,
    /// `id` is a handle. Custody publishes a revoked actor as its handles.
    Handle,
}

/// The body of `POST /v1/seen`: sessions that made requests since the last report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenReport {
    /// At most [`SEEN_LIMIT`].
    pub sessions: Vec<String>,
}

/// Most names in a report.
pub const SEEN_LIMIT: usize = 1000;
/// Bytes of a session's name, at most: its issuer and a `jti`, of any length that a token can have.
pub const SESSION_ID_LENGTH: usize = 8192;
/// Longest report, bytes of JSON: a thousand names of ordinary length, or some forty of the longest.
pub const SEEN_BODY_LIMIT: usize = 256 * 1024;

// === impl SyncAnswer ===

impl SyncAnswer {
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        serde_json::to_vec(self).map_err(|_| Malformed)
    }

    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let answer: Self = serde_json::from_slice(body).map_err(|_| Malformed)?;
        if is_cursor(&answer.cursor) { Ok(answer) } else { Err(Malformed) }
    }
}

/// Goes into a URL as it is.
pub fn is_cursor(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=CURSOR_LENGTH).contains(&text.len()) && text.bytes().all(plain)
}

// === impl SeenReport ===

impl SeenReport {
    /// Bytes of JSON that this name adds to a report, with a comma.
    pub fn room(name: &str) -> usize {
        serde_json::to_vec(name).map_or(usize::MAX, |json| json.len() + 1)
    }

    /// Bytes of JSON of a report without names.
    pub const FRAME: usize = r#"{"sessions":[]}"#.len();

    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        serde_json::to_vec(self).map_err(|_| Malformed)
    }

    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let report: Self = serde_json::from_slice(body).map_err(|_| Malformed)?;
        let fits = report.sessions.len() <= SEEN_LIMIT
            && report.sessions.iter().all(|id| (1..=SESSION_ID_LENGTH).contains(&id.len()));
        if fits { Ok(report) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let answer = SyncAnswer {
            cursor: "e1-17".into(),
            full: false,
            kill_switch: true,
            changes: vec![SyncChange {
                kind: SyncKind::Session,
                id: "jti-1".into(),
                revoked: true,
                until: Some(17),
            }],
        };
        let json = answer.encode().unwrap();
        assert_eq!(SyncAnswer::decode(&json), Ok(answer));
        let text = String::from_utf8(json).unwrap();
        for (from, to) in [
            ("e1-17", ""),
            ("e1-17", "a b"),
            ("e1-17", "a&b"),
            ("\"full\":false,", ""),
            ("\"kill_switch\":true,", ""),
            ("\"session\"", "\"planet\""),
        ] {
            assert_ne!(text, text.replace(from, to));
            let bad = text.replace(from, to);
            assert_eq!(SyncAnswer::decode(bad.as_bytes()), Err(Malformed), "{from} {to}");
        }
    }

    #[test]
    fn a_report_is_bounded() {
        let report = |count| SeenReport { sessions: vec!["j".into(); count] }.encode().unwrap();
        assert!(SeenReport::decode(&report(SEEN_LIMIT)).is_ok());
        assert_eq!(SeenReport::decode(&report(SEEN_LIMIT + 1)), Err(Malformed));
        assert_eq!(SeenReport::decode(br#"{"sessions":[""]}"#), Err(Malformed));
    }

    #[test]
    fn names_of_every_kind_take_the_room_that_is_counted() {
        let names =
            ["j", "\"\\\n\u{1}\u{7f}", "\u{e9}\u{1f600}", &"x".repeat(8192)].map(str::to_owned);
        for count in 1..=names.len() {
            let sessions = names[..count].to_vec();
            let counted = sessions.iter().map(|name| SeenReport::room(name)).sum::<usize>();
            let encoded = SeenReport { sessions }.encode().unwrap().len();
            // The first name has no comma before it.
            assert_eq!(SeenReport::FRAME + counted, encoded + 1);
        }
    }
}
