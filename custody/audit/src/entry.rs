//! The content of one audit record.

use crate::day::{Checkpoint, DayHead};
use lease::UnixSeconds;
use serde::Serialize;

/// The event of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A lease was asked for, and granted or denied.
    Lease,
    /// A lease that was granted could not be given; the credential was not there.
    LeaseFailed,
    /// Custody issued a lease, and the edge had hung up by then.
    LeaseUndelivered,
    /// An edge reported the outcome of a single-use lease.
    LeaseSettled,
    /// New grants are in force.
    GrantsReloaded,
    /// New grants were wrong; the old ones stay in force.
    GrantsRefused,
    /// A Session JWT did not verify. A sample: custody writes these at a bounded rate, because any
    /// client can send as many as it likes.
    SessionRefused,
    /// An operator ordered a change; written before it is made.
    Order,
    /// The ordered change failed.
    OrderFailed,
    /// The result of an order to end leases: how many ended before their time. A note has the progress,
    /// or marks that another custody resumed it.
    LeasesRevoked,
    /// A worker with a capability token stores, fetches or tears down; written before it happens.
    Credential,
    /// An allowed operation of a worker failed.
    CredentialFailed,
    /// A capability token was refused. A sample, as of sessions.
    CapabilityRefused,
    /// A token that custody minted ended before its time, and its issuer revoked it.
    TokenRevoked,
    /// Its issuer did not revoke it, and accepts it until it expires.
    TokenNotRevoked,
    /// Nobody has taken a notice of a failure for a day; it is not delivered any more.
    NoticeGivenUp,
    /// Custody began to serve.
    Started,
    /// Custody ended in good order.
    Stopped,
    /// A day is over; what all of its records came to.
    DayClosed,
    /// The day goes on; what its records came to so far.
    DayCheckpoint,
    /// A half-written line was found at the end of the file and set aside.
    Recovered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Allow,
    Deny,
    /// Nothing was decided; the record is about custody itself.
    Note,
}

/// The content of a record. Number, time and hashes are added when it is written.
///
/// There is no field for a token or a secret, and the texts come from verified claims, from parsed
/// types, or from configuration; JSON escaping keeps control characters from breaking a line.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub event: Event,
    pub outcome: Outcome,
    /// The refusal code, where there was a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The reason, in more detail than the edge gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(flatten)]
    pub session: Option<SessionId>,
    #[serde(flatten)]
    pub requested: Option<RequestedLease>,
    #[serde(flatten)]
    pub issued: Option<IssuedLease>,
    #[serde(flatten)]
    pub ended: Option<Ended>,
    #[serde(flatten)]
    pub reload: Option<Reload>,
    #[serde(flatten)]
    pub order: Option<Order>,
    /// Of the call: the trace id of its `traceparent` (W3C Trace Context), else its
    /// `x-request-id` if that was printable.
    #[serde(rename = "trace_id", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// For samples: how many alike were not written since the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<u64>,
    /// How many leases ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<u64>,
    #[serde(flatten)]
    pub token: Option<MintedToken>,
    #[serde(flatten)]
    pub undelivered: Option<Undelivered>,
    #[serde(flatten)]
    pub torn: Option<Torn>,
    #[serde(flatten)]
    pub day: Option<DayHead>,
    #[serde(flatten)]
    pub checkpoint: Option<Checkpoint>,
}

/// Whose request it was: claims of a session that verified.
#[derive(Clone, Debug, Serialize)]
pub struct SessionId {
    pub issuer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt_id: Option<String>,
    /// `session::Session::id`: what a revocation names.
    pub session_id: String,
}

/// The requested lease.
#[derive(Clone, Debug, Serialize)]
pub struct RequestedLease {
    pub handle: String,
    pub destination: String,
    pub method: String,
    /// Without query and fragment, at most [`MAX_PATH`] bytes.
    pub path: String,
    pub binding: lease::Binding,
}

/// The issued lease.
#[derive(Clone, Debug, Serialize)]
pub struct IssuedLease {
    pub lease_id: String,
    pub actor: String,
    /// At most; the credential may end sooner.
    pub expires_at: UnixSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// The end of a lease that was issued before.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    pub lease_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<lease::Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
}

/// Grants that were reloaded.
#[derive(Clone, Debug, Serialize)]
pub struct Reload {
    /// Of the grants in force from now on.
    pub grants_digest: String,
    /// The cause: an operator, a signal, or the changed file itself.
    pub by: String,
}

/// The order of an operator or a worker.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// The name on the operator's certificate, or `sub` of the worker's capability.
    pub by: String,
    /// Written as OCSF's `action`.
    #[serde(skip)]
    pub action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A token of an OAuth 2 server or a GitHub App, and for whom it was minted.
#[derive(Clone, Debug, Serialize)]
pub struct MintedToken {
    pub backend: String,
    pub actor: String,
    pub handle: String,
    pub expires_at: UnixSeconds,
}

/// A notice of a failure that reached nobody.
#[derive(Clone, Debug, Serialize)]
pub struct Undelivered {
    pub notice_id: String,
    /// When the backend failed.
    pub failed_at: UnixSeconds,
    pub backend: String,
    pub actor: String,
    pub handle: String,
    pub failure_code: String,
    pub tries: u32,
}

/// The half-written line that was set aside.
#[derive(Clone, Debug, Serialize)]
pub struct Torn {
    pub torn_bytes: u64,
    /// Name of the file beside the log that holds them now.
    pub torn_file: String,
}

/// Longer paths are cut off in the log.
pub const MAX_PATH: usize = 1024;
const MAX_METHOD: usize = 32;
const MAX_REQUEST_ID: usize = 128;

// === impl Entry ===

impl Entry {
    pub fn new(event: Event, outcome: Outcome) -> Self {
        Self {
            event,
            outcome,
            code: None,
            reason: None,
            session: None,
            requested: None,
            issued: None,
            ended: None,
            reload: None,
            order: None,
            request_id: None,
            suppressed: None,
            leases: None,
            token: None,
            undelivered: None,
            torn: None,
            day: None,
            checkpoint: None,
        }
    }

    /// A lease that was given, and whose asker had hung up by then.
    pub fn lease_undelivered(lease_id: String) -> Self {
        let ended = Some(Ended { lease_id, reported: None, failure_code: None });
        Self { ended, ..Self::new(Event::LeaseUndelivered, Outcome::Note) }
    }
}

// === impl RequestedLease ===

impl RequestedLease {
    pub fn of(request: &lease::LeaseRequest) -> Self {
        Self {
            handle: request.handle.to_string(),
            destination: request.destination.to_string(),
            method: cut(&request.method, MAX_METHOD),
            path: cut(without_query(&request.path), MAX_PATH),
            binding: request.binding,
        }
    }
}

/// Queries hold tokens often enough that none is written down.
fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or("")
}

fn cut(text: &str, limit: usize) -> String {
    let end = (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or("").to_owned()
}

/// A request id as it may be written down: visible ASCII, at most 128 bytes.
pub fn request_id(header: &[u8]) -> Option<String> {
    let plain = !header.is_empty()
        && header.len() <= MAX_REQUEST_ID
        && header.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(header).ok().filter(|_| plain).map(str::to_owned)
}

/// The trace id of a `traceparent`: version, 32 hex digits, 16 hex digits, flags (W3C Trace Context
/// section 3.2). All zeros is no id.
pub fn trace_id(header: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(header).ok()?;
    let id = text.split('-').nth(1).filter(|_| text.split('-').count() >= 4)?;
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (id.len() == 32 && id.bytes().all(hex) && id.bytes().any(|b| b != b'0')).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_never_written() {
        for (path, expected) in
            [("/a?token=x", "/a"), ("/a#token", "/a"), ("?x", ""), ("/a/b", "/a/b"), ("", "")]
        {
            assert_eq!(without_query(path), expected);
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("é", 0), "");
        assert_eq!(cut(&"x".repeat(5000), MAX_PATH).len(), MAX_PATH);
    }

    #[test]
    fn a_trace_id_is_what_trace_context_says() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let header = format!("00-{id}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(header.as_bytes()).as_deref(), Some(id));
        for bad in ["", "00", id, &header.replace('4', "g"), &header.replace(id, &"0".repeat(32))] {
            assert_eq!(trace_id(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn only_printable_request_ids() {
        assert_eq!(request_id(b"3f-1").as_deref(), Some("3f-1"));
        for bad in [&b""[..], b"a b", b"a\n", b"\xff", &[b'a'; 129]] {
            assert_eq!(request_id(bad), None);
        }
    }
}
