//! Which sessions a destination or a grant is for.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::verified::Session;

/// `{"team": ["build", "ops"]}`: every claim named here must be in the session, and equal one of
/// the values or be an array that holds one of them. Values compare as JSON, without conversion:
/// `1` is neither `1.0` nor `"1"`. No condition at all is met by every session.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ClaimConditions(BTreeMap<String, Vec<Value>>);

struct ConditionsVisitor;

// === impl ClaimConditions ===

impl ClaimConditions {
    /// Whether the session fulfils every condition.
    pub fn met_by(&self, session: &Session) -> bool {
        self.met_by_unverified(&session.claims().all)
    }

    /// As [`ClaimConditions::met_by`], of claims that no signature stands for: what would be said to
    /// such a session, never to decide on one.
    pub fn met_by_unverified(&self, claims: &Map<String, Value>) -> bool {
        self.0.iter().all(|(name, wanted)| {
            claims.get(name).is_some_and(|held| {
                wanted.contains(held)
                    || held
                        .as_array()
                        .is_some_and(|many| many.iter().any(|one| wanted.contains(one)))
            })
        })
    }

    /// True if there is no condition, and so every session meets it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some session could meet both, as far as the values show: false where a claim named in
    /// both has no value in common. (A claim that is a list can still hold one value of each.)
    pub fn overlaps(&self, other: &ClaimConditions) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let theirs = other.0.get(name);
            theirs.is_none_or(|theirs| wanted.iter().any(|value| theirs.contains(value)))
        })
    }

    /// The names of the claims looked at, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for ClaimConditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClaimConditions, D::Error> {
        deserializer.deserialize_map(ConditionsVisitor)
    }
}

// === impl ConditionsVisitor ===

impl<'de> Visitor<'de> for ConditionsVisitor {
    type Value = ClaimConditions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims and the values they may have, as in {\"team\": [\"build\", \"ops\"]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClaimConditions, A::Error> {
        let mut conditions = BTreeMap::new();
        while let Some((name, wanted)) = map.next_entry::<String, Vec<Value>>()? {
            if wanted.is_empty() {
                let text = format!("claim {name} lists no value, so no session could meet it");
                return Err(A::Error::custom(text));
            }
            let text = format!("claim {name} is named twice; write one list of values");
            if conditions.insert(name, wanted).is_some() {
                return Err(A::Error::custom(text));
            }
        }
        Ok(ClaimConditions(conditions))
    }
}
