//! `session`: whose Session JWTs are good.

use super::bind::BindConfig;
use super::carrier::CarrierConfig;
use super::errors::ConfigErrors;
use super::issuer::IssuerConfig;
use super::keys::KeysConfig;
use super::span::Span;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use session::{LEEWAY_CEILING, LEEWAY_DEFAULT, errors_of_form, issuer_field};

/// Which Session JWTs are accepted, and where they are read from. Either `issuers`, or `issuer`, `audience`
/// and `keys` of a single one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// Whose tokens are accepted; at most 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuers: Option<Vec<IssuerConfig>>,
    /// With `audience` and `keys`, the short form of a single entry of `issuers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// In the short form: the only one of `audiences`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// In the short form: as in an entry of `issuers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeysConfig>,
    /// How far clocks may differ when `nbf` and `iat` are read; at most five minutes. A session's end has no leeway.
    #[serde(default = "default_leeway")]
    pub leeway: Span,
    /// Where the edge looks for the token, in this order. Default: `proxy-authorization` in the explicit
    /// posture; the header `x-leasehold-session`, `authorization`, then the header `x-api-key` in the gateway
    /// posture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carriers: Option<Vec<CarrierConfig>>,
    /// Binds each session to the place its requests come to; any place if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<BindConfig>,
}

/// The issuers, whichever way they were written.
pub(crate) struct Issuers {
    pub list: Vec<IssuerConfig>,
    /// They are in the section itself.
    is_short: bool,
}

/// The issuers that the section lists; all else in it is ignored.
#[derive(Deserialize)]
struct WrittenIssuers {
    issuers: Vec<IgnoredAny>,
}

const MAX_LEEWAY: Span = Span::from_secs(LEEWAY_CEILING);

fn default_leeway() -> Span {
    Span::from_secs(LEEWAY_DEFAULT)
}

// === impl SessionConfig ===

impl SessionConfig {
    /// By the list as it is written; what else is in the section may be wrong.
    pub(crate) fn has_several_issuers(section: &RawValue) -> bool {
        let written = serde_json::from_str::<WrittenIssuers>(section.get());
        written.is_ok_and(|written| written.issuers.len() > 1)
    }

    /// Takes the issuers out. One form becomes the other here.
    pub(crate) fn take_issuers(&mut self, errors: &mut ConfigErrors) -> Option<Issuers> {
        let (issuer, audience, keys) = (self.issuer.take(), self.audience.take(), self.keys.take());
        let has_short = [issuer.is_some(), audience.is_some(), keys.is_some()];
        for error in errors_of_form(self.issuers.is_some(), has_short) {
            errors.push(format!("session.{}", error.field), error.reason);
        }
        let Some(list) = self.issuers.take() else {
            let list = vec![IssuerConfig::short(issuer?, audience?, keys?)];
            return Some(Issuers { list, is_short: true });
        };
        errors.check_not_empty("session.issuers", &list);
        Some(Issuers { list, is_short: false })
    }

    /// Seconds.
    pub(crate) fn checked_leeway(&self, errors: &mut ConfigErrors) -> u64 {
        if self.leeway > MAX_LEEWAY {
            errors.push("session.leeway", format!("at most {LEEWAY_CEILING}s"));
        }
        self.leeway.get().as_secs()
    }
}

// === impl Issuers ===

impl Issuers {
    /// Where a field of the issuer at this place is written.
    pub(crate) fn path(&self, place: usize, field: &str) -> String {
        issuer_field(self.is_short, place, field)
    }
}
