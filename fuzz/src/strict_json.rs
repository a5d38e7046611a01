//! The claims of a token are an object without a member that occurs twice, and say what the bytes say.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use session::unverified::UnverifiedToken;

/// Whether some object in the document has a member twice; keeps no values.
struct Repeats(bool);

struct RepeatsVisitor;

pub fn check(bytes: &[u8]) {
    let token = format!("e30.{}.", URL_SAFE_NO_PAD.encode(bytes));
    let Ok(token) = UnverifiedToken::parse(token.as_bytes()) else { return };
    let claims = token.unverified_claims();
    // serde_json on its own keeps the last of two members.
    let plain = serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object);
    let repeats = serde_json::from_slice::<Repeats>(bytes).map_or(true, |repeats| repeats.0);
    match claims {
        Ok(claims) => {
            assert!(!repeats, "a member occurs twice: {}", bytes.escape_ascii());
            // Not printed and read again: serde_json may read a long fraction one bit off.
            assert_eq!(Some(Value::Object(claims)), plain);
        }
        Err(_) => assert!(plain.is_none() || repeats, "refused: {}", bytes.escape_ascii()),
    }
}

impl<'de> Deserialize<'de> for Repeats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RepeatsVisitor)
    }
}

impl<'de> Visitor<'de> for RepeatsVisitor {
    type Value = Repeats;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Repeats, E> {
        Ok(Repeats(false))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Repeats, E> {
        Ok(Repeats(false))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Repeats, E> {
        Ok(Repeats(false))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Repeats, E> {
        Ok(Repeats(false))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Repeats, E> {
        Ok(Repeats(false))
    }

    fn visit_str<E>(self, _: &str) -> Result<Repeats, E> {
        Ok(Repeats(false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Repeats, A::Error> {
        let mut found = false;
        while let Some(Repeats(repeats)) = items.next_element()? {
            found |= repeats;
        }
        Ok(Repeats(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Repeats, A::Error> {
        let (mut names, mut found) = (BTreeSet::new(), false);
        while let Some((name, Repeats(repeats))) = members.next_entry::<String, Repeats>()? {
            found |= repeats || !names.insert(name);
        }
        Ok(Repeats(found))
    }
}
