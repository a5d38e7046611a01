//! `session`, made into carriers, issuers and a binding.

use crate::config::bind::BindConfig;
use crate::config::carrier::CarrierConfig;
use crate::config::errors::ConfigErrors;
use crate::config::issuer::IssuerConfig;
use crate::config::keys::{FetchedKeys, InlineKeys, KeysConfig};
use crate::config::posture::PostureConfig;
use crate::config::session::{Issuers, SessionConfig};
use crate::policy::binding::{BindingSource, SessionBinding};
use crate::policy::carrier::Carrier;
use crate::policy::issuer::{Issuer, KeyEndpoint, KeySource};
use session::{ClaimPath, KeySet, Rules, errors_between};

pub(super) fn compile_carriers(
    session: &SessionConfig,
    posture: PostureConfig,
    errors: &mut ConfigErrors,
) -> Vec<Carrier> {
    let Some(carriers) = &session.carriers else {
        return match posture {
            PostureConfig::Explicit => vec![Carrier::ProxyAuthorization],
            PostureConfig::Gateway => vec![
                Carrier::Header("x-leasehold-session".into()),
                Carrier::Authorization,
                Carrier::Header("x-api-key".into()),
            ],
        };
    };
    if carriers.is_empty() {
        errors.push("session.carriers", "name at least one place to read the session from");
    }
    let compiled = carriers.iter().enumerate().map(|(n, carrier)| {
        carrier.check(&format!("session.carriers[{n}]"), errors);
        match carrier {
            CarrierConfig::ProxyAuthorization => Carrier::ProxyAuthorization,
            CarrierConfig::Authorization => Carrier::Authorization,
            CarrierConfig::Header(name) => Carrier::Header(name.clone()),
        }
    });
    compiled.collect()
}

/// `leeway` in seconds.
pub(super) fn compile_issuers(
    session: &mut SessionConfig,
    leeway: u64,
    errors: &mut ConfigErrors,
) -> Option<Vec<Issuer>> {
    let issuers = session.take_issuers(errors)?;
    let all: Vec<Rules> = issuers.list.iter().map(|config| config.rules(leeway)).collect();
    for (place, error) in errors_between(&all.iter().collect::<Vec<_>>()) {
        errors.push(issuers.path(place, &error.field), error.reason);
    }
    let compiled: Vec<_> = all
        .into_iter()
        .enumerate()
        .map(|(place, rules)| compile_issuer(&issuers, place, rules, errors))
        .collect();
    compiled.into_iter().collect()
}

fn compile_issuer(
    issuers: &Issuers,
    place: usize,
    rules: Rules,
    errors: &mut ConfigErrors,
) -> Option<Issuer> {
    for error in rules.errors() {
        errors.push(issuers.path(place, &error.field), error.reason);
    }
    let config: &IssuerConfig = issuers.list.get(place)?;
    let path = issuers.path(place, "keys");
    let keys = match &config.keys {
        KeysConfig::Inline(InlineKeys { jwks }) => {
            KeySource::Fixed(compile_key_set(jwks, &path, &rules, errors)?)
        }
        KeysConfig::Fetched(fetched) => {
            KeySource::Fetched(compile_endpoint(fetched, &path, &rules.issuer, errors)?)
        }
    };
    Some(Issuer { rules, keys })
}

fn compile_key_set(
    jwks: &serde_json::Value,
    path: &str,
    rules: &Rules,
    errors: &mut ConfigErrors,
) -> Option<KeySet> {
    let path = format!("{path}.jwks");
    match KeySet::from_jwks(jwks) {
        Ok(keys) => {
            if !keys.entries().any(|(_, algorithm)| rules.algorithms.contains(&algorithm)) {
                errors.push(path, "has no key of one of the issuer's algorithms");
            }
            Some(keys)
        }
        Err(faults) => {
            for fault in faults {
                errors.push(join(&path, fault.path()), fault.reason());
            }
            None
        }
    }
}

/// `issuer` is the one whose keys they are.
fn compile_endpoint(
    config: &FetchedKeys,
    path: &str,
    issuer: &str,
    errors: &mut ConfigErrors,
) -> Option<KeyEndpoint> {
    config.check(path, errors);
    Some(KeyEndpoint {
        cluster: config.cluster.clone(),
        path: config.path.clone(),
        authority: config.authority(path, issuer, errors)?,
        refresh: config.refresh.get(),
        keep: config.keep.get(),
        timeout: config.timeout.get(),
    })
}

fn join(base: &str, path: &str) -> String {
    if path.is_empty() { base.to_owned() } else { format!("{base}.{path}") }
}

pub(super) fn compile_binding(
    config: &BindConfig,
    errors: &mut ConfigErrors,
) -> Option<SessionBinding> {
    config.check(errors);
    let source = match (&config.value, &config.property) {
        (Some(value), None) => BindingSource::Named(value.clone()),
        (None, Some(parts)) => BindingSource::Attribute(parts.join("\0")),
        // Both, or neither: the check has noted it.
        _ => return None,
    };
    // An error of it is the check's, too.
    let claim = ClaimPath::parse(&config.claim).ok()?;
    Some(SessionBinding { claim, source })
}
