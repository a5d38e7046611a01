//! What whoever publishes the session keys answers, as cases write it.

use super::keys::{Algorithm, Signer, TestKey};
use crate::script::Answer;
use serde::Deserialize;
use serde_json::{Value, json};

/// From a step on. Absent: the key that sessions are signed with by default.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerScript {
    /// A set of these keys.
    Keys(Vec<Signer>),
    /// Any answer of this status.
    Status(u16),
    /// A 200 with this body.
    Body(String),
    /// Nothing, ever.
    Silence,
}

/// The cluster whose name in an issuer's `keys` makes a case one about fetched keys.
const CLUSTER: &str = "issuer";

// === impl IssuerScript ===

impl Default for IssuerScript {
    fn default() -> Self {
        Self::Keys(vec![Signer::Known])
    }
}

impl IssuerScript {
    /// Does this configuration have its keys fetched, from here?
    pub fn is_asked(config: Option<&Value>) -> bool {
        let Some(session) = config.and_then(|config| config.get("session")) else { return false };
        let issuers = session.get("issuers").and_then(Value::as_array).into_iter().flatten();
        let mut all = issuers.chain([session]);
        all.any(|issuer| issuer.pointer("/keys/cluster").is_some_and(|cluster| cluster == CLUSTER))
    }

    /// Status and body; `None` where nothing comes.
    pub fn response(&self) -> Option<(u16, String)> {
        match self {
            Self::Keys(signers) => {
                let keys: Vec<Value> = signers
                    .iter()
                    .map(|signer| TestKey::of(Algorithm::EdDsa, *signer).jwk())
                    .collect();
                Some((200, json!({ "keys": keys }).to_string()))
            }
            Self::Status(status) => Some((*status, String::new())),
            Self::Body(body) => Some((200, body.clone())),
            Self::Silence => None,
        }
    }

    pub(super) fn answer(&self) -> Answer {
        match self.response() {
            Some((status, body)) => Answer::json(status, body),
            None => Answer::Never,
        }
    }
}
