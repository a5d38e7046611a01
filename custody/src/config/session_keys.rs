//! `keys` of an issuer: what its Session JWTs are verified with.

use super::fault::Faults;
use crate::keys::{RemoteKeys, Schedule, SessionKeySource};
use custody_base::outbound::{Endpoint, Reach};
use serde::Deserialize;
use session::KeySet;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    jwks: Option<serde_json::Value>,
    jwks_file: Option<PathBuf>,
    url: Option<String>,
    ca: Option<PathBuf>,
    refresh: Option<String>,
    keep: Option<String>,
}

/// Seconds. A set is fetched again after at most an hour, or a key that was taken out of it would
/// be believed for longer than a session lives.
const REFRESH: std::ops::RangeInclusive<u64> = 1..=3600;
const REFRESH_DEFAULT: u64 = 300;
const KEEP: std::ops::RangeInclusive<u64> = 60..=7 * 24 * 3600;
const KEEP_DEFAULT: u64 = 24 * 3600;
/// What a whole fetch may take: a session with a new key waits for it.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// Bytes; a set with certificate chains is some ten thousand.
const BODY_LIMIT: usize = 1 << 18;

/// `path` is where these keys are written.
pub(super) fn read(
    raw: Raw,
    path: &str,
    folder: &Path,
    faults: &mut Faults,
) -> Option<SessionKeySource> {
    let Raw { jwks, jwks_file, url, ca, refresh, keep } = raw;
    if url.is_none() {
        for (name, given) in
            [("ca", ca.is_some()), ("refresh", refresh.is_some()), ("keep", keep.is_some())]
        {
            if given {
                faults.add(format!("{path}.{name}"), format!("goes with {path}.url only"));
            }
        }
    }
    match (jwks, jwks_file, url) {
        (Some(jwks), None, None) => {
            inline(&format!("{path}.jwks"), &jwks, faults).map(SessionKeySource::Fixed)
        }
        (None, Some(file), None) => {
            of_file(&format!("{path}.jwks_file"), &folder.join(file), faults)
                .map(SessionKeySource::Fixed)
        }
        (None, None, Some(url)) => {
            let url = Endpoint::parse(&url)
                .map_err(|fault| faults.add(format!("{path}.url"), fault))
                .ok();
            let refresh =
                seconds(&format!("{path}.refresh"), refresh, REFRESH_DEFAULT, REFRESH, faults);
            let keep = seconds(&format!("{path}.keep"), keep, KEEP_DEFAULT, KEEP, faults);
            let reach = Reach {
                ca: ca.map(|ca| folder.join(ca)),
                total: FETCH_LIMIT,
                body_limit: BODY_LIMIT,
                ..Reach::default()
            };
            let schedule = Schedule { refresh: refresh?, keep: keep? };
            let remote = RemoteKeys { url: url?, reach, schedule };
            Some(SessionKeySource::Remote(Box::new(remote)))
        }
        _ => {
            let what = "has either jwks (inline), jwks_file (a path) or url (an issuer's jwks_uri)";
            faults.add(path, what);
            None
        }
    }
}

/// The key set in this file; `path` is the field that names it.
pub(super) fn of_file(path: &str, file: &Path, faults: &mut Faults) -> Option<KeySet> {
    let path = format!("{path} ({})", file.display());
    let bytes = std::fs::read(file).map_err(|error| faults.add(&path, error)).ok()?;
    let jwks = serde_json::from_slice(&bytes)
        .map_err(|error| faults.add(&path, format!("not JSON: {error}")))
        .ok()?;
    inline(&path, &jwks, faults)
}

/// The key set that stands at `path` itself.
pub(super) fn inline(path: &str, jwks: &serde_json::Value, faults: &mut Faults) -> Option<KeySet> {
    match KeySet::from_jwks(jwks) {
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

fn seconds(
    path: &str,
    text: Option<String>,
    default: u64,
    bounds: std::ops::RangeInclusive<u64>,
    faults: &mut Faults,
) -> Option<Duration> {
    let seconds = match text {
        None => Some(default),
        Some(text) => faults.seconds(path, &text, bounds),
    };
    seconds.map(Duration::from_secs)
}
