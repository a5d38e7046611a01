//! Objects in which every name occurs once.
//!
//! serde keeps the last of two members with one name. The other would be lost without a word, and with it
//! a condition that somebody wrote.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

struct UniqueVisitor<V>(PhantomData<V>);

/// A map by name.
///
/// # Errors
/// A name occurs twice; the error names it.
pub(super) fn map<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    deserializer.deserialize_map(UniqueVisitor(PhantomData))
}

/// Any value; none for `null`.
///
/// # Errors
/// A name occurs twice in one object, at any depth; the error names it.
pub(super) fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let value = session::strict_json::value(deserializer)?;
    Ok((!value.is_null()).then_some(value))
}

// === impl UniqueVisitor ===

impl<'de, V: Deserialize<'de>> Visitor<'de> for UniqueVisitor<V> {
    type Value = BTreeMap<String, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<String, V>()? {
            match map.entry(name) {
                Entry::Vacant(free) => free.insert(value),
                Entry::Occupied(taken) => {
                    return Err(A::Error::custom(format!(
                        "duplicate field `{}`; write it once",
                        taken.key()
                    )));
                }
            };
        }
        Ok(map)
    }
}
