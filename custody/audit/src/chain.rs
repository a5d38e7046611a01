//! One line, and how it hangs on the line before.
//!
//! ```text
//! line = body ,"hash":"H"}                       body = {"seq":N,"time":"...",...,"prev":"P"
//! H    = lower-case hex of SHA-256("leasehold/custody/v1/audit" || 0x00 || body)
//! P    = H of the line before; 64 zeros before the first
//! ```
//! The hash is over the bytes in the file, so there is no second, canonical form that could differ from
//! them.

use crate::day::Mark;
use crate::entry::Entry;
use crate::ocsf::Ocsf;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The end of a chain, which the next line hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last line; 0 before the first.
    pub seq: u64,
    pub hash: String,
}

/// Why a line is not the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    #[error("it is not an audit record")]
    Form,
    #[error("its hash does not fit its content: the record was changed")]
    Hash,
    #[error("it does not follow the record before it: records were removed, added or moved")]
    Order,
    #[error("its totals of the day do not match the day's records")]
    Day,
}

#[derive(Serialize)]
struct Body<'a> {
    seq: u64,
    time: &'a str,
    #[serde(flatten)]
    ocsf: Ocsf<'a>,
    #[serde(flatten)]
    entry: &'a Entry,
    prev: &'a str,
}

#[derive(Deserialize)]
struct Link {
    seq: u64,
    time: String,
    #[serde(default)]
    event: String,
    prev: String,
}

/// [`crate::Event::DayClosed`] as it is written.
const DAY_CLOSED: &str = "day_closed";
/// [`crate::Event::DayCheckpoint`] as it is written.
const DAY_CHECKPOINT: &str = "day_checkpoint";
/// How the event of a [`Mark`] begins, and that of no other record.
///
/// Inside a JSON text the quotation marks would be escaped, so it is found where it is meant and
/// nowhere else.
pub const MARK: &[u8] = b"\"event\":\"day_";

const DOMAIN: &[u8] = b"leasehold/custody/v1/audit\0";
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const AFTER_HASH: &[u8] = b"\"}";
const HASH: usize = 64;

// === impl Head ===

impl Head {
    /// Before the first line.
    pub fn genesis() -> Self {
        Self { seq: 0, hash: "0".repeat(HASH) }
    }

    /// Appends the next line, with its line end, to `lines`, and is the new head.
    ///
    /// `time` is RFC 3339.
    pub fn seal(
        &self,
        entry: &Entry,
        time: &str,
        lines: &mut Vec<u8>,
    ) -> Result<Self, serde_json::Error> {
        let seq = self.seq + 1;
        let mut body = serde_json::to_vec(&Body {
            seq,
            time,
            ocsf: Ocsf::of(entry),
            entry,
            prev: &self.hash,
        })?;
        body.pop(); // the closing brace, which comes back after the hash
        let hash = hash_of(&body);
        lines.append(&mut body);
        lines.extend_from_slice(BEFORE_HASH);
        lines.extend_from_slice(hash.as_bytes());
        lines.extend_from_slice(AFTER_HASH);
        lines.push(b'\n');
        Ok(Self { seq, hash })
    }

    /// Is this line (without its line end) the next one?
    pub fn follow(&self, line: &[u8]) -> Result<Read, LineFault> {
        let next = read(line)?;
        if Some(next.head.seq) != self.seq.checked_add(1) || next.prev != self.hash {
            return Err(LineFault::Order);
        }
        Ok(next)
    }
}

/// The parts of a line that the check of a chain needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub head: Head,
    /// The hash it hangs on.
    pub prev: String,
    /// RFC 3339.
    pub time: String,
    /// The totals of the records before it, if the line is a mark.
    pub mark: Option<Mark>,
}

/// A line that is whole in itself, at any place.
pub fn read(line: &[u8]) -> Result<Read, LineFault> {
    let rest = line.strip_suffix(AFTER_HASH).ok_or(LineFault::Form)?;
    let (rest, hash) = rest.split_last_chunk::<HASH>().ok_or(LineFault::Form)?;
    let body = rest.strip_suffix(BEFORE_HASH).ok_or(LineFault::Form)?;
    let expected = hash_of(body);
    if expected.as_bytes() != hash {
        return Err(LineFault::Hash);
    }
    let json = [body, b"}"].concat();
    let link: Link = serde_json::from_slice(&json).map_err(|_| LineFault::Form)?;
    let Link { seq, time, event, prev } = link;
    let mark = match event.as_str() {
        DAY_CLOSED => Some(serde_json::from_slice(&json).map(Mark::Closed)),
        DAY_CHECKPOINT => Some(serde_json::from_slice(&json).map(Mark::Checkpoint)),
        _ => None,
    };
    let mark = mark.transpose().map_err(|_| LineFault::Form)?;
    Ok(Read { head: Head { seq, hash: expected }, prev, time, mark })
}

fn hash_of(body: &[u8]) -> String {
    base16ct::lower::encode_string(
        &Sha256::new().chain_update(DOMAIN).chain_update(body).finalize(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Event, Outcome, RequestedLease};

    #[test]
    fn a_line_as_documented() {
        let mut lines = Vec::new();
        let mut entry = Entry::new(Event::Lease, Outcome::Deny);
        entry.requested = Some(RequestedLease {
            handle: "h".into(),
            destination: "a.example:443".into(),
            method: "GET".into(),
            path: "/\n\u{1b}\"\\".into(),
            binding: lease::Binding::Session,
        });
        let head = Head::genesis().seal(&entry, "2026-01-01T00:00:00.000Z", &mut lines).unwrap();
        let text = String::from_utf8(lines.clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["seq"], 1);
        assert_eq!(parsed["path"], "/\n\u{1b}\"\\");
        assert_eq!(parsed["prev"], "0".repeat(64));
        assert_eq!(parsed["hash"], head.hash);
        assert!(!text.trim_end().contains(char::is_control));
        let followed = Head::genesis().follow(lines.trim_ascii_end()).unwrap();
        assert_eq!(followed.head, head);
    }

    #[test]
    fn a_second_reader_agrees_about_the_hash() {
        // SHA-256 of the domain, a zero byte and `{"a":1`, taken with sha256sum.
        assert_eq!(
            hash_of(b"{\"a\":1"),
            "eb41bdd83aefb0e3c8075af7401dfacf9fa2380c62c84af0c388d491bba2ecd9"
        );
    }
}
