//! `session`: whose Session JWTs are believed.

use super::fault::Faults;
use serde::Deserialize;
use serde_yaml_ng::Value;
use session::{KeySet, LEEWAY_CEILING, LEEWAY_DEFAULT, Rules};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The rules and keys of the verifier.
#[derive(Debug, Clone)]
pub struct SessionRules {
    pub rules: Rules,
    pub keys: KeySet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSession {
    issuer: String,
    audience: String,
    keys: RawKeys,
    leeway: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeys {
    jwks: Option<serde_json::Value>,
    jwks_file: Option<PathBuf>,
}

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
    let keys = read_keys(raw.keys, folder, faults);
    let rules = Rules { issuer: raw.issuer, audience: raw.audience, leeway: leeway? };
    Some(SessionRules { rules, keys: keys? })
}

fn read_keys(raw: RawKeys, folder: &Path, faults: &mut Faults) -> Option<KeySet> {
    let (path, jwks) = match (raw.jwks, raw.jwks_file) {
        (Some(jwks), None) => ("session.keys.jwks".to_owned(), jwks),
        (None, Some(file)) => {
            let file = folder.join(file);
            let path = format!("session.keys.jwks_file ({})", file.display());
            let bytes = std::fs::read(&file).map_err(|error| faults.add(&path, error)).ok()?;
            let jwks = serde_json::from_slice(&bytes)
                .map_err(|error| faults.add(&path, format!("not JSON: {error}")))
                .ok()?;
            (path, jwks)
        }
        _ => {
            faults.add("session.keys", "has either jwks (inline) or jwks_file (a path)");
            return None;
        }
    };
    match KeySet::from_jwks(&jwks) {
        Ok(keys) => Some(keys),
        Err(errors) => {
            for error in errors {
                let inner = error.path();
                let dot = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
                faults.add(format!("{path}{dot}{inner}"), error.reason());
            }
            None
        }
    }
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
