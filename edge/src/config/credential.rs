//! `destinations[].credential`: what is injected, and how often one lease of it serves.

use super::errors::ConfigErrors;
use lease::HeaderName;
use serde::{Deserialize, Serialize};

/// Which credential is injected.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CredentialConfig {
    /// The credential's opaque name in custody.
    pub handle: String,
    #[serde(default)]
    pub binding: LeaseBinding,
    /// The header in which a guest names its operation; custody leases once for each name. A request
    /// without it is an operation of its own. Default: `idempotency-key`. With `single_use` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The body is part of the operation: the request is held until it is whole. With `single_use`
    /// only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub body_digest: bool,
    /// The longest body, in bytes, 1 to 8388608; a longer one is denied. Envoy's own limit
    /// (`per_connection_buffer_limit_bytes`) must not be lower. Default: 65536. With `body_digest`
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<usize>,
}

/// The requests that a lease is valid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeaseBinding {
    /// Every request of the session to this destination, until the lease ends.
    #[default]
    Session,
    /// One request. The edge asks custody each time, and reports the outcome.
    SingleUse,
}

const KEY_HEADER: &str = "idempotency-key";
const MAX_BODY: usize = 64 * 1024;
const MAX_MAX_BODY: usize = 8 * 1024 * 1024;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

// === impl CredentialConfig ===

impl CredentialConfig {
    /// The header in which a guest names its operation.
    pub(crate) fn key_header(&self) -> &str {
        self.idempotency_key.as_deref().unwrap_or(KEY_HEADER)
    }

    /// The longest body, in bytes.
    pub(crate) fn max_body(&self) -> usize {
        self.max_body.unwrap_or(MAX_BODY)
    }

    pub(crate) fn check(&self, path: &str, errors: &mut ConfigErrors) {
        match self.binding {
            LeaseBinding::Session => self.check_session(path, errors),
            LeaseBinding::SingleUse => self.check_single_use(path, errors),
        }
    }

    fn check_session(&self, path: &str, errors: &mut ConfigErrors) {
        for (field, given) in [
            ("idempotency_key", self.idempotency_key.is_some()),
            ("body_digest", self.body_digest),
            ("max_body", self.max_body.is_some()),
        ] {
            if given {
                errors.push(format!("{path}.{field}"), "belongs to \"binding\": \"single_use\"");
            }
        }
    }

    fn check_single_use(&self, path: &str, errors: &mut ConfigErrors) {
        let header = self.key_header();
        let field = format!("{path}.idempotency_key");
        if HeaderName::parse(header).map_or(true, |name| name.as_str() != header) {
            errors.push(field, "a header name in lower case, such as idempotency-key");
        } else if matches!(header, "authorization" | "cookie") {
            errors.push(field, format!("{header:?} holds secrets, and custody writes keys down"));
        }
        if self.max_body.is_some() && !self.body_digest {
            errors.push(format!("{path}.max_body"), "belongs to \"body_digest\": true");
        }
        if !(1..=MAX_MAX_BODY).contains(&self.max_body()) {
            errors.push(format!("{path}.max_body"), format!("from 1 to {MAX_MAX_BODY} bytes"));
        }
    }
}
