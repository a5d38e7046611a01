//! `policy`: which of two configurations is the newer one.

use super::errors::ConfigErrors;
use serde::{Deserialize, Serialize};

/// The name and the generation of a policy. Of the configurations of one name in a VM, the one with the
/// highest generation judges every request, also on connections of a listener that drains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PolicyVersionConfig {
    /// The same in every generation, such as `egress`. Listeners with different policies have different
    /// names.
    pub name: String,
    /// Higher in every change, also where the change goes back to an older policy.
    pub generation: u64,
}

/// It is part of log lines.
const LONGEST_NAME: usize = 64;

// === impl PolicyVersionConfig ===

impl PolicyVersionConfig {
    pub(crate) fn check(&self, errors: &mut ConfigErrors) {
        let is_printable = self.name.bytes().all(|byte| byte.is_ascii_graphic());
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !is_printable {
            errors.push("policy.name", "1 to 64 printable ASCII characters, without spaces");
        }
    }
}
