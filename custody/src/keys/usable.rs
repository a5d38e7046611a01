//! What of an issuer's key set is for us.

use serde_json::{Value, json};
use session::KeySet;
use std::collections::BTreeMap;

/// Keys at most; more are no key set of one issuer.
const KEYS: usize = 64;

/// The keys of a set that verify Session JWTs.
pub(super) struct Usable {
    keys: KeySet,
    /// As they were sent, to see what changed.
    by_kid: BTreeMap<String, Value>,
    left_out: Vec<String>,
}

/// What is different from the set before; `kid`s.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Another key under the same `kid`.
    pub replaced: Vec<String>,
}

// === impl Usable ===

impl Usable {
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

    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    pub fn count(&self) -> usize {
        self.by_kid.len()
    }

    /// Why which keys are not used; no key material.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    pub fn change_from(&self, before: Option<&Self>) -> Change {
        let nothing = BTreeMap::new();
        let before = before.map_or(&nothing, |before| &before.by_kid);
        let mut change = Change::default();
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

#[cfg(test)]
mod tests {
    use super::*;
    use session::Algorithm;
    use session::mint::SigningKey;

    fn key(kid: &str) -> Value {
        SigningKey::generate(Algorithm::EdDsa, Some(kid)).unwrap().public_jwk()
    }

    fn read(keys: &[Value]) -> Result<Usable, String> {
        Usable::read(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn what_serves_others_is_left_out() {
        let mut encrypts = key("b");
        encrypts["use"] = json!("enc");
        let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "c", "pub": "AA"});
        let mut private = key("d");
        private["d"] = json!("AAAA");
        let mut nameless = key("e");
        nameless.as_object_mut().unwrap().remove("kid");
        let usable = read(&[key("a"), encrypts, unknown, private, nameless]).ok().unwrap();
        let kids: Vec<_> = usable.keys().entries().map(|(kid, _)| kid.to_owned()).collect();
        assert_eq!(kids, ["a"]);
        assert_eq!(usable.left_out().len(), 4);
    }

    #[test]
    fn what_is_no_key_set() {
        for bytes in ["", "<html>", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": []}"#] {
            assert!(Usable::read(bytes.as_bytes()).is_err(), "{bytes}");
        }
        assert!(read(&[key("a"), key("a")]).is_err());
        let many: Vec<_> = (0..65).map(|at| key(&at.to_string())).collect();
        assert!(read(&many).is_err());
    }

    #[test]
    fn changes() {
        let (a, b, c) = (key("a"), key("b"), key("c"));
        let before = read(&[a.clone(), b.clone()]).ok().unwrap();
        assert_eq!(before.change_from(Some(&before)), Change::default());
        let after = read(&[a, key("b"), c]).ok().unwrap();
        let owned = |kid: &str| vec![kid.to_owned()];
        let change = after.change_from(Some(&before));
        assert_eq!((change.added, change.replaced), (owned("c"), owned("b")));
        assert_eq!(before.change_from(Some(&after)).removed, owned("c"));
    }
}
