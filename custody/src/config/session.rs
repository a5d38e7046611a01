//! `session`: whose Session JWTs are believed.

use super::fault::Faults;
use super::session_keys::{self, SessionKeySource};
use crate::limits::SessionLimits;
use serde::Deserialize;
use serde_yaml_ng::Value;
use session::{LEEWAY_CEILING, LEEWAY_DEFAULT, Rules};
use std::path::Path;
use std::time::Duration;

/// The rules and keys of the verifier.
#[derive(Debug, Clone)]
pub struct SessionRules {
    pub rules: Rules,
    pub keys: SessionKeySource,
    pub limits: SessionLimits,
}

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
        Some(text) => read_seconds("session.leeway", text, 0..=LEEWAY_CEILING, faults),
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
    if text == OFF { None } else { read_seconds(path, text, bounds, faults) }
}

/// A duration as people write it ("30s", "5m"), in whole seconds within bounds.
pub(super) fn read_seconds(
    path: &str,
    text: &str,
    bounds: std::ops::RangeInclusive<u64>,
    faults: &mut Faults,
) -> Option<u64> {
    let duration = humantime::parse_duration(text).ok();
    let seconds = duration
        .map(|duration| duration.as_secs())
        .filter(|seconds| duration == Some(Duration::from_secs(*seconds)));
    if seconds.is_none() {
        faults.add(path, "is a duration in whole seconds, as in 30s or 5m");
    }
    seconds.filter(|seconds| {
        let within = bounds.contains(seconds);
        if !within {
            faults.add(path, format!("must be {}s to {}s", bounds.start(), bounds.end()));
        }
        within
    })
}
