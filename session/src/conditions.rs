//! Which sessions a destination or a grant is for.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::claim_path::ClaimPath;
use crate::claim_value::WantedValue;

/// `{"team": ["build", "ops"]}`: every claim named here must be in the session, and fit one of
/// the values or be an array that holds one that fits.
///
/// A claim inside another is named by a [JSON Pointer](ClaimPath). Values compare as JSON, without
/// conversion: `1` is `1.0`, and is not `"1"`. A text with a star is a glob: `*` stands for any characters
/// but `/` and `:`, `**` for any characters. No condition at all is met by every session.
#[derive(Debug, Clone, Default, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ClaimConditions {
    /// As they were written.
    written: BTreeMap<String, Vec<Value>>,
    #[serde(skip)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    claim: ClaimPath,
    wanted: Vec<WantedValue>,
}

struct ConditionsVisitor;

// === impl ClaimConditions ===

impl ClaimConditions {
    /// As [`ClaimConditions::met_by`], of claims that no signature stands for: what would be said to
    /// such a session, never to decide on one.
    pub fn met_by_unverified(&self, claims: &Map<String, Value>) -> bool {
        self.conditions.iter().all(|condition| condition.is_met_by(claims))
    }

    /// True if there is no condition, and so every session meets it.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether some session could meet both, as far as the values show: false where a claim named in
    /// both has no value in common. (A claim that is a list can still hold one value of each.)
    pub fn overlaps(&self, other: &ClaimConditions) -> bool {
        self.conditions.iter().all(|condition| {
            let theirs = other.conditions.iter().find(|theirs| theirs.claim == condition.claim);
            theirs.is_none_or(|theirs| condition.overlaps(theirs))
        })
    }

    /// Whether there is a condition on this claim at the top of a token.
    pub fn has(&self, claim: &str) -> bool {
        self.conditions.iter().any(|condition| condition.claim.is_top(claim))
    }
}

impl PartialEq for ClaimConditions {
    fn eq(&self, other: &ClaimConditions) -> bool {
        self.written == other.written
    }
}

impl<'de> Deserialize<'de> for ClaimConditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClaimConditions, D::Error> {
        deserializer.deserialize_map(ConditionsVisitor)
    }
}

// === impl Condition ===

impl Condition {
    fn is_met_by(&self, claims: &Map<String, Value>) -> bool {
        self.claim.find(claims).is_some_and(|held| {
            self.allows(held)
                || held.as_array().is_some_and(|many| many.iter().any(|one| self.allows(one)))
        })
    }

    fn allows(&self, held: &Value) -> bool {
        self.wanted.iter().any(|wanted| wanted.fits(held))
    }

    fn overlaps(&self, other: &Condition) -> bool {
        self.wanted.iter().any(|value| other.wanted.iter().any(|theirs| value.overlaps(theirs)))
    }
}

// === impl ConditionsVisitor ===

impl<'de> Visitor<'de> for ConditionsVisitor {
    type Value = ClaimConditions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims and the values they may have, as in {\"team\": [\"build\", \"ops\"]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClaimConditions, A::Error> {
        let mut all = ClaimConditions::default();
        while let Some((name, values)) = map.next_entry::<String, Vec<Value>>()? {
            let error = |text: &str| A::Error::custom(format!("claim {name} {text}"));
            if values.is_empty() {
                return Err(error("lists no value, so no session could meet it"));
            }
            let claim = ClaimPath::parse(&name).map_err(error)?;
            if all.conditions.iter().any(|other| other.claim == claim) {
                return Err(error("is named twice; write one list of values"));
            }
            let wanted = values.iter().cloned().map(WantedValue::new);
            let wanted = wanted.collect::<Result<_, _>>().map_err(error)?;
            all.conditions.push(Condition { claim, wanted });
            all.written.insert(name, values);
        }
        Ok(all)
    }
}
