//! The answers of OpenBao, as far as custody reads them.

use custody_base::outbound::{optional_secret, secret};
use lease::Secret;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// `auth` of a login or a renewal.
#[derive(Deserialize)]
pub(super) struct LoggedIn {
    pub auth: Auth,
}

#[derive(Deserialize)]
pub(super) struct Auth {
    #[serde(deserialize_with = "secret")]
    pub client_token: Secret,
    /// Seconds; 0: it does not end.
    pub lease_duration: u64,
    pub renewable: bool,
}

/// `auth/token/lookup-self`.
#[derive(Deserialize)]
pub(super) struct LookedUp {
    pub data: Looked,
}

#[derive(Deserialize)]
pub(super) struct Looked {
    /// Seconds; 0: it does not end.
    pub ttl: u64,
    #[serde(default)]
    pub renewable: bool,
}

/// The unwrapped content: a SecretID, or a token.
#[derive(Deserialize)]
pub(super) struct Unwrapped {
    data: Option<UnwrappedData>,
    auth: Option<UnwrappedAuth>,
}

#[derive(Deserialize)]
struct UnwrappedData {
    #[serde(default, deserialize_with = "optional_secret")]
    secret_id: Option<Secret>,
}

#[derive(Deserialize)]
struct UnwrappedAuth {
    #[serde(deserialize_with = "secret")]
    client_token: Secret,
}

/// A version of a KV value.
#[derive(Deserialize)]
pub(super) struct KvRead {
    pub data: KvVersion,
}

#[derive(Deserialize)]
pub(super) struct KvVersion {
    /// `null` of a version that was deleted.
    pub data: Option<FieldMap>,
}

/// An answer with a lease.
#[derive(Deserialize)]
pub(super) struct Leased {
    #[serde(default)]
    pub lease_id: String,
    /// Seconds.
    #[serde(default)]
    pub lease_duration: u64,
    pub data: Option<FieldMap>,
}

pub(super) type FieldMap = BTreeMap<String, Field>;

/// The value of a field: a text, or something that is not a credential.
pub(super) enum Field {
    Text(Secret),
    Other,
}

// === impl Unwrapped ===

impl Unwrapped {
    pub(super) fn secret(self) -> Option<Secret> {
        let secret_id = self.data.and_then(|data| data.secret_id);
        secret_id.or_else(|| self.auth.map(|auth| auth.client_token))
    }
}

// === impl Field ===

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyField)
    }
}

/// By hand, because serde's untagged enums keep copies of what they look at.
struct AnyField;

impl<'de> Visitor<'de> for AnyField {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(Secret::new(text)))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Field, E> {
        Ok(Field::Text(Secret::new(text)))
    }

    fn visit_unit<E: Error>(self) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Field, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}
