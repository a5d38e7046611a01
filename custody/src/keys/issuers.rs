//! Whose sessions custody knows, for operators who name a session.

use serde_json::{Map, Value};
use session::{Rules, SessionName};
use std::sync::Arc;

/// The rules of every issuer. A session's name begins with its issuer and [`SessionName::SEPARATOR`].
#[derive(Clone, Debug)]
pub struct Issuers(Arc<[Rules]>);

// === impl Issuers ===

impl Issuers {
    pub fn new(rules: impl IntoIterator<Item = Rules>) -> Self {
        Self(rules.into_iter().collect())
    }

    /// The whole name of a session that an operator names. While there is one issuer, it may be left out.
    ///
    /// # Errors
    /// The text begins with none of several issuers; what to write instead.
    pub fn complete(&self, id: String) -> Result<String, String> {
        if self.of_name(&id).is_some() {
            return Ok(id);
        }
        match &*self.0 {
            [only] => Ok(format!("{}{}{id}", only.issuer, SessionName::SEPARATOR)),
            several => {
                let issuers: Vec<_> = several.iter().map(|rules| rules.issuer.as_str()).collect();
                let issuers = issuers.join(", ");
                let separator = SessionName::SEPARATOR;
                Err(format!(
                    "begins with no issuer; write ISSUER{separator}ID, of the issuers {issuers}"
                ))
            }
        }
    }

    /// The name that a session of these claims would have. `None` if they name no issuer of ours, or it
    /// gives its sessions names by something else than claims.
    pub fn name_of(&self, claims: &Map<String, Value>) -> Option<String> {
        let issuer = claims.get("iss").and_then(Value::as_str);
        let rules = match issuer {
            Some(issuer) => self.0.iter().find(|rules| rules.issuer == issuer)?,
            // For people who try their grants: the issuer goes without saying.
            None => match &*self.0 {
                [only] => only,
                _ => return None,
            },
        };
        rules.name.of_unverified(&rules.issuer, claims)
    }

    /// How many seconds after now a session of this name has surely ended, if it lasts no longer than
    /// `absolute` seconds. `None` if it may begin anew under the same name.
    pub fn longest(&self, name: &str, absolute: Option<u64>) -> Option<u64> {
        let rules = self.of_name(name)?;
        match rules.name {
            SessionName::Claims(_) => None,
            SessionName::TokenDigest => Some(rules.max_lifetime),
            SessionName::SidOrJti => Some(absolute?.max(rules.max_lifetime)),
        }
    }

    fn of_name(&self, name: &str) -> Option<&Rules> {
        self.0.iter().find(|rules| {
            name.strip_prefix(rules.issuer.as_str())
                .is_some_and(|rest| rest.starts_with(SessionName::SEPARATOR))
        })
    }
}
