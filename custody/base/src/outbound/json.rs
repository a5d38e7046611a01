//! JSON that holds secrets.

use super::{Answer, CallFault};
use lease::Secret;
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use std::fmt;
use std::io::{self, Write};
use zeroize::Zeroizing;

/// Counts what would be written.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Written twice, so that the vector has its size before a secret is in it.
pub(super) fn write(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, CallFault> {
    let fault = |_| CallFault::Unsendable("it has no JSON form");
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_err(fault)?;
    let mut body = Zeroizing::new(Vec::with_capacity(count.0));
    serde_json::to_writer(&mut *body, value).map_err(fault)?;
    Ok(body)
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallFault> {
    serde_json::from_slice(body).map_err(|error| CallFault::NotJson {
        category: match error.classify() {
            Category::Io | Category::Eof => "it ends early",
            Category::Syntax => "no JSON",
            Category::Data => "another shape",
        },
        line: error.line(),
        column: error.column(),
    })
}

// === impl Answer ===

impl Answer {
    /// The body, as JSON.
    ///
    /// # Errors
    /// It is something else. The error does not repeat the value: serde's own messages do.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallFault> {
        read(&self.body)
    }
}

/// For `#[serde(deserialize_with)]`: a JSON string that is a secret.
///
/// # Errors
/// It is not a string.
pub fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    from.deserialize_str(Text)
}

/// As [`secret`]; `null` counts as absent. Needs `#[serde(default)]` beside it for a missing field.
///
/// # Errors
/// It is neither a string nor `null`.
pub fn optional_secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    struct Wrapped(Secret);
    impl<'de> Deserialize<'de> for Wrapped {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            secret(from).map(Self)
        }
    }
    Ok(Option::<Wrapped>::deserialize(from)?.map(|Wrapped(secret)| secret))
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }
}
