//! What of an issuer's published key set is for us: for whoever fetches keys, edge and custody.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::jwks::KeySet;

/// Keys at most; more are no key set of one issuer.
const KEYS: usize = 64;

/// The keys of a set that verify Session JWTs.
pub struct IssuerKeys {
    keys: KeySet,
    /// As they were sent, to see what changed.
    by_kid: BTreeMap<String, Value>,
    left_out: Vec<String>,
}

/// What is different from the set before; `kid`s.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Another key under the same `kid`.
    pub replaced: Vec<String>,
}

// === impl IssuerKeys ===

impl IssuerKeys {
    /// From the bytes of a JWKS.
    ///
    /// Keys that are for something else (encryption, an algorithm we do not verify) or that we have
    /// no `kid` of are left out, as RFC 7517 section 5 asks: an issuer's set serves others too. In a
    /// configuration they would be a mistake, and are.
    ///
    /// # Errors
    /// Not a JWKS, no key left, or two keys under one `kid`; for the log.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let jwks: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
        let Some(entries) = jwks.get("keys").and_then(Value::as_array) else {
            return Err("not a key set: there is no array `keys`".into());
        };
        if entries.len() > KEYS {
            return Err(format!("more than {KEYS} keys"));
        }
        let mut by_kid = BTreeMap::new();
        let mut left_out = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if let Err(errors) = KeySet::from_jwks(&json!({ "keys": [entry] })) {
                let why = errors.first().map(|error| error.reason().to_owned());
                left_out.push(format!("keys[{at}]: {}", why.unwrap_or_default()));
                continue;
            }
            let kid = entry.get("kid").and_then(Value::as_str).unwrap_or_default();
            if by_kid.insert(kid.to_owned(), entry.clone()).is_some() {
                return Err(format!("two keys have the kid {kid:?}"));
            }
        }
        let used: Vec<_> = by_kid.values().cloned().collect();
        let keys = KeySet::from_jwks(&json!({ "keys": used }))
            .map_err(|_| format!("no key that verifies a session; {}", left_out.join("; ")))?;
        Ok(Self { keys, by_kid, left_out })
    }

    /// The keys that are for us.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.by_kid.len()
    }

    /// Why which keys are not used; no key material.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// How this set differs from the one before.
    pub fn change_from(&self, before: Option<&Self>) -> KeyChange {
        let nothing = BTreeMap::new();
        let before = before.map_or(&nothing, |before| &before.by_kid);
        let mut change = KeyChange::default();
        for (kid, key) in &self.by_kid {
            match before.get(kid) {
                None => change.added.push(kid.clone()),
                Some(old) if old != key => change.replaced.push(kid.clone()),
                Some(_) => {}
            }
        }
        change.removed =
            before.keys().filter(|kid| !self.by_kid.contains_key(*kid)).cloned().collect();
        change
    }
}

// === impl KeyChange ===

impl KeyChange {
    /// The set is the same as before.
    pub fn is_empty(&self) -> bool {
        let KeyChange { added, removed, replaced } = self;
        added.is_empty() && removed.is_empty() && replaced.is_empty()
    }
}

impl std::fmt::Display for KeyChange {
    /// As in `added ["b"], removed ["a"]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KeyChange { added, removed, replaced } = self;
        let kinds = [("added", added), ("removed", removed), ("replaced", replaced)];
        for (n, (kind, kids)) in kinds.iter().filter(|(_, kids)| !kids.is_empty()).enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{kind} {kids:?}")?;
        }
        Ok(())
    }
}
