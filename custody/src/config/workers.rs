//! `workers`: the listener of the credential API, and whose capability tokens are believed there.

use super::fault::Faults;
use super::listeners::{RawTls, check_names, read_address};
use super::session_keys::{inline, of_file};
use custody_base::tls::TlsFiles;
use serde::Deserialize;
use serde_yaml_ng::Value;
use session::{KeySet, Rules};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where workers call: TLS 1.3 with a client certificate, and a token for each call.
#[derive(Debug, Clone)]
pub struct WorkersListener {
    pub listen: SocketAddr,
    pub tls: TlsFiles,
    pub rules: Rules,
    pub keys: KeySet,
    /// Seconds from a token's `iat` within which it must be used.
    pub max_age: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorkers {
    listen: String,
    tls: RawTls,
    capabilities: RawCapabilities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCapabilities {
    issuer: String,
    audience: Option<String>,
    keys: RawKeys,
    max_age: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeys {
    jwks: Option<serde_json::Value>,
    jwks_file: Option<PathBuf>,
}

const AUDIENCE: &str = "leasehold-custody";
/// Seconds by which the issuer's clock may be ahead of custody's.
const LEEWAY: u64 = 30;
/// Seconds.
const MAX_AGE: u64 = 60;
const MAX_AGES: std::ops::RangeInclusive<u64> = 1..=300;

/// `Some(None)` without the section: then there is no credential API.
pub(super) fn read(
    section: Option<Value>,
    session_audiences: &[&str],
    folder: &Path,
    faults: &mut Faults,
) -> Option<Option<WorkersListener>> {
    if section.is_none() {
        return Some(None);
    }
    let raw: RawWorkers = faults.section("workers", section)?;
    let RawCapabilities { issuer, audience, keys, max_age } = raw.capabilities;
    let listen = read_address("workers.listen", &raw.listen, faults);
    check_names("workers.tls", &raw.tls, faults);
    if issuer.is_empty() {
        faults.add("workers.capabilities.issuer", "is empty");
    }
    let audience = audience.unwrap_or_else(|| AUDIENCE.to_owned());
    if audience.is_empty() || session_audiences.contains(&audience.as_str()) {
        faults.add(
            "workers.capabilities.audience",
            "must be another than those of session, so that no Session JWT is a capability",
        );
    }
    let max_age = match &max_age {
        None => Some(MAX_AGE),
        Some(text) => faults.seconds("workers.capabilities.max_age", text, MAX_AGES),
    };
    let keys = read_keys(keys, folder, faults);
    Some(Some(WorkersListener {
        listen: listen?,
        tls: raw.tls.beside(folder),
        rules: Rules { leeway: LEEWAY, ..Rules::new(issuer, audience) },
        keys: keys?,
        max_age: max_age?,
    }))
}

fn read_keys(raw: RawKeys, folder: &Path, faults: &mut Faults) -> Option<KeySet> {
    match (raw.jwks, raw.jwks_file) {
        (Some(jwks), None) => inline("workers.capabilities.keys.jwks", &jwks, faults),
        (None, Some(file)) => {
            of_file("workers.capabilities.keys.jwks_file", &folder.join(file), faults)
        }
        _ => {
            let what = "has either jwks (inline) or jwks_file (a path)";
            faults.add("workers.capabilities.keys", what);
            None
        }
    }
}
