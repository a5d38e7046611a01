//! `custody.sync`: updates about revocations.

use super::errors::ConfigErrors;
use super::span::Span;
use lease::SYNC_WAIT_CEILING;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::time::Duration;

/// Whether and how the edge polls custody for revocations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum SyncSetting {
    /// `off`: a revocation takes hold when the leases that were given before it expire.
    Off(Off),
    On(SyncConfig),
}

/// The word `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Off {
    Off,
}

/// How custody's `GET /v1/sync` is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SyncConfig {
    /// How long custody may hold back an answer without a change, 1 s to 30 s. Default: 20 s.
    #[serde(default = "default_wait")]
    pub wait: Span,
    /// The edge denies requests that need a credential when custody's last update is older than this: at
    /// least `wait` and 10 s, at most 5 m. Default: 30 s.
    #[serde(default = "default_max_staleness")]
    pub max_staleness: Span,
}

const MIN_WAIT: Duration = Duration::from_secs(1);
const MAX_WAIT: Duration = Duration::from_secs(SYNC_WAIT_CEILING);
/// For an answer that is lost, and the pause before the next.
const MARGIN: Duration = Duration::from_secs(10);
const MAX_STALENESS: Duration = Duration::from_secs(300);

fn default_wait() -> Span {
    Span::from_secs(20)
}

fn default_max_staleness() -> Span {
    Span::from_secs(30)
}

// === impl SyncSetting ===

impl Default for SyncSetting {
    fn default() -> Self {
        Self::On(SyncConfig { wait: default_wait(), max_staleness: default_max_staleness() })
    }
}

impl SyncSetting {
    pub fn config(&self) -> Option<&SyncConfig> {
        match self {
            Self::Off(Off::Off) => None,
            Self::On(config) => Some(config),
        }
    }

    pub(super) fn check(&self, errors: &mut ConfigErrors) {
        let Some(SyncConfig { wait, max_staleness }) = self.config() else { return };
        let (wait, max_staleness) = (wait.get(), max_staleness.get());
        if !(MIN_WAIT..=MAX_WAIT).contains(&wait) || wait.subsec_nanos() > 0 {
            errors.push("custody.sync.wait", "whole seconds from 1s to 30s");
        }
        if !(wait.saturating_add(MARGIN)..=MAX_STALENESS).contains(&max_staleness) {
            errors.push("custody.sync.max_staleness", "at least wait and 10s, at most 5m");
        }
    }
}

/// By hand, so that an error names the wrong field and not only the enum.
impl<'de> Deserialize<'de> for SyncSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Setting;

        impl<'de> Visitor<'de> for Setting {
            type Value = SyncSetting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"off\", or an object with wait and max_staleness")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<SyncSetting, E> {
                match word {
                    "off" => Ok(SyncSetting::Off(Off::Off)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Other("word"), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SyncSetting, A::Error> {
                SyncConfig::deserialize(MapAccessDeserializer::new(map)).map(SyncSetting::On)
            }
        }

        deserializer.deserialize_any(Setting)
    }
}
