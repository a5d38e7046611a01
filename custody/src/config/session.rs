//! `session`: whose Session JWTs are believed.

use super::fault::Faults;
use super::session_keys;
use crate::keys::{SessionRules, TrustedIssuer};
use crate::limits::SessionLimits;
use serde::Deserialize;
use serde_yaml_ng::Value;
use session::{
    Algorithm, ClaimConditions, LEEWAY_CEILING, LEEWAY_DEFAULT, LIFETIME_CEILING, LIFETIME_DEFAULT,
    Rules, SessionName, errors_between, errors_of_form, issuer_field,
};
use std::path::Path;

/// Either `issuers`, or the first three, which are one of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSession {
    issuer: Option<String>,
    audience: Option<String>,
    keys: Option<session_keys::Raw>,
    issuers: Option<Vec<RawIssuer>>,
    leeway: Option<String>,
    idle: Option<String>,
    absolute: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIssuer {
    issuer: String,
    audiences: Vec<String>,
    keys: session_keys::Raw,
    algorithms: Option<Vec<Algorithm>>,
    max_lifetime: Option<String>,
    #[serde(default)]
    id: SessionName,
    #[serde(default)]
    required_claims: ClaimConditions,
}

/// The issuers, and where each is written.
struct Issuers {
    list: Vec<RawIssuer>,
    is_short: bool,
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
    let mut raw: RawSession = faults.section("session", section)?;
    let leeway = match &raw.leeway {
        None => Some(LEEWAY_DEFAULT),
        Some(text) => faults.seconds("session.leeway", text, 0..=LEEWAY_CEILING),
    };
    let limits = SessionLimits {
        idle: match raw.idle.take() {
            None => Some(SessionLimits::IDLE),
            Some(text) => read_limit("session.idle", &text, IDLE, faults),
        },
        absolute: raw
            .absolute
            .take()
            .and_then(|text| read_limit("session.absolute", &text, ABSOLUTE, faults)),
    };
    let Issuers { list, is_short } = issuers(raw, faults)?;
    let read = list.into_iter().enumerate().map(|(place, raw)| {
        read_issuer(raw, place, is_short, leeway.unwrap_or(LEEWAY_DEFAULT), folder, faults)
    });
    let issuers: Vec<_> = read.collect::<Vec<_>>().into_iter().collect::<Option<_>>()?;
    let all: Vec<&Rules> = issuers.iter().map(|issuer: &TrustedIssuer| &issuer.rules).collect();
    for (place, error) in errors_between(&all) {
        faults.add(issuer_field(is_short, place, &error.field), error.reason);
    }
    Some(SessionRules { issuers, leeway: leeway?, limits })
}

/// How many issuers a `session` section has; the rest of it may be wrong.
pub(super) fn count_issuers(section: Option<&Value>) -> usize {
    let issuers = section.and_then(|section| section.get("issuers"));
    issuers.and_then(Value::as_sequence).map_or(1, Vec::len)
}

/// One form becomes the other here.
fn issuers(raw: RawSession, faults: &mut Faults) -> Option<Issuers> {
    let RawSession { issuer, audience, keys, issuers, .. } = raw;
    let has_short = [issuer.is_some(), audience.is_some(), keys.is_some()];
    for error in errors_of_form(issuers.is_some(), has_short) {
        faults.add(format!("session.{}", error.field), error.reason);
    }
    let Some(list) = issuers else {
        let short = RawIssuer {
            issuer: issuer?,
            audiences: vec![audience?],
            keys: keys?,
            algorithms: None,
            max_lifetime: None,
            id: SessionName::default(),
            required_claims: ClaimConditions::default(),
        };
        return Some(Issuers { list: vec![short], is_short: true });
    };
    if list.is_empty() {
        faults.add("session.issuers", "is empty, so no session could be verified");
    }
    Some(Issuers { list, is_short: false })
}

fn read_issuer(
    raw: RawIssuer,
    place: usize,
    is_short: bool,
    leeway: u64,
    folder: &Path,
    faults: &mut Faults,
) -> Option<TrustedIssuer> {
    let path = |field: &str| issuer_field(is_short, place, field);
    let max_lifetime = match &raw.max_lifetime {
        None => Some(LIFETIME_DEFAULT),
        Some(text) => faults.seconds(&path("max_lifetime"), text, 1..=LIFETIME_CEILING),
    };
    let keys = session_keys::read(raw.keys, &path("keys"), folder, faults);
    let rules = Rules {
        issuer: raw.issuer,
        audiences: raw.audiences,
        algorithms: raw.algorithms.unwrap_or_else(|| Algorithm::ALL.to_vec()),
        max_lifetime: max_lifetime.unwrap_or(LIFETIME_DEFAULT),
        name: raw.id,
        required_claims: raw.required_claims,
        leeway,
    };
    for error in rules.errors() {
        faults.add(path(&error.field), error.reason);
    }
    max_lifetime.and(Some(TrustedIssuer { rules, keys: keys? }))
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
