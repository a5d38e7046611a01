//! `session`: whose Session JWTs are believed.

use super::fault::Faults;
use super::session_keys;
use crate::keys::SessionRules;
use crate::limits::SessionLimits;
use serde::Deserialize;
use serde_yaml_ng::Value;
use session::{LEEWAY_CEILING, LEEWAY_DEFAULT, Rules};
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSession {
    issuer: String,
    audience: String,
    keys: session_keys::Raw,
    leeway: Option<String>,
    idle: Option<String>,
    absolute: Option<String>,
}

/// Of a limit that does not hold.
const OFF: &str = "off";
/// Bounds of `idle` and `absolute`, in seconds.
const IDLE: std::ops::RangeInclusive<u64> = 1..=24 * 3600;
const ABSOLUTE: std::ops::RangeInclusive<u64> = 1..=30 * 24 * 3600;

pub(super) fn read(
    section: Option<Value>,
    folder: &Path,
    faults: &mut Faults,
) -> Option<SessionRules> {
    let raw: RawSession = faults.section("session", section)?;
    for (path, text) in [("session.issuer", &raw.issuer), ("session.audience", &raw.audience)] {
        if text.is_empty() {
            faults.add(path, "is empty");
        }
    }
    let leeway = match &raw.leeway {
        None => Some(LEEWAY_DEFAULT),
        Some(text) => faults.seconds("session.leeway", text, 0..=LEEWAY_CEILING),
    };
    let limits = SessionLimits {
        idle: match raw.idle {
            None => Some(SessionLimits::IDLE),
            Some(text) => read_limit("session.idle", &text, IDLE, faults),
        },
        absolute: raw
            .absolute
            .and_then(|text| read_limit("session.absolute", &text, ABSOLUTE, faults)),
    };
    let keys = session_keys::read(raw.keys, folder, faults);
    let rules = Rules { issuer: raw.issuer, audience: raw.audience, leeway: leeway? };
    Some(SessionRules { rules, keys: keys?, limits })
}

/// `None` if it is off, and if it does not read, which is a fault.
fn read_limit(
    path: &str,
    text: &str,
    bounds: std::ops::RangeInclusive<u64>,
    faults: &mut Faults,
) -> Option<u64> {
    if text == OFF { None } else { faults.seconds(path, text, bounds) }
}
