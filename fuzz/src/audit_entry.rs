//! An audit record is one line that reads back, and a line that was changed is none.

use custody_audit::chain::{self, Head, LineFault};
use custody_audit::entry::{Entry, Event, Outcome, RequestedLease, SessionId};
use lease::Binding;

const TIME: &str = "2026-01-02T03:04:05.678Z";

pub fn check(bytes: &[u8]) {
    check_line(bytes);
    if let Ok(text) = str::from_utf8(bytes) {
        check_entry(text);
    }
}

/// The bytes as a line somebody wrote into the file.
fn check_line(bytes: &[u8]) {
    let Ok(read) = chain::read(bytes) else { return };
    let before = Head { seq: read.head.seq.wrapping_sub(1), hash: read.prev.clone() };
    if read.head.seq > 0 {
        assert_eq!(before.follow(bytes), Ok(read.clone()));
    }
    check_changes(bytes);
}

/// Text that came from a guest, in each field that may hold some.
fn check_entry(text: &str) {
    let mut entry = Entry::new(Event::Lease, Outcome::Deny);
    entry.session = Some(SessionId {
        issuer: text.to_owned(),
        subject: Some(text.to_owned()),
        jwt_id: Some(text.to_owned()),
        session_id: text.to_owned(),
    });
    entry.requested = Some(RequestedLease {
        handle: text.to_owned(),
        destination: text.to_owned(),
        method: text.to_owned(),
        path: text.to_owned(),
        binding: Binding::Session,
    });
    entry.request_id = Some(text.to_owned());
    let mut lines = Vec::new();
    let head = Head::genesis().seal(&entry, TIME, &mut lines).unwrap();
    let line = lines.strip_suffix(b"\n").unwrap();
    assert!(!line.contains(&b'\n'), "one record is one line: {text:?}");
    let read = Head::genesis().follow(line).unwrap();
    assert_eq!((read.head, read.time.as_str(), read.mark), (head.clone(), TIME, None));
    let json: serde_json::Value = serde_json::from_slice(line).unwrap();
    for name in ["subject", "path", "trace_id"] {
        assert_eq!(json[name], text, "{name}");
    }
    assert_eq!(head.follow(line), Err(LineFault::Order));
    check_changes(line);
}

/// Every bit of a line counts. A few of them, as each costs a hash.
fn check_changes(line: &[u8]) {
    let mut changed = line.to_vec();
    for at in [0, line.len() / 3, line.len() / 2, line.len() - 1] {
        changed[at] ^= 1;
        assert!(chain::read(&changed).is_err(), "{}", changed.escape_ascii());
        changed[at] ^= 1;
    }
    assert!(chain::read(&line[1..]).is_err());
}
