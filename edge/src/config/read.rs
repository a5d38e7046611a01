//! Reading the text, section by section.

use super::errors::ConfigErrors;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The same object, its sections still text. Keeping the text lets serde see repeated fields, which
/// a parsed value has already lost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object: session, custody, destinations, ...")]
pub(crate) struct Sections<'a> {
    #[serde(borrow)]
    pub policy: Option<&'a RawValue>,
    #[serde(borrow)]
    pub posture: Option<&'a RawValue>,
    #[serde(borrow)]
    pub explicit: Option<&'a RawValue>,
    #[serde(borrow)]
    pub gateway: Option<&'a RawValue>,
    #[serde(borrow)]
    pub inject: Option<&'a RawValue>,
    #[serde(borrow)]
    pub session: Option<&'a RawValue>,
    #[serde(borrow)]
    pub custody: Option<&'a RawValue>,
    #[serde(borrow)]
    pub destinations: Option<Vec<&'a RawValue>>,
}

pub(crate) fn required<T>(section: Option<T>, path: &str, errors: &mut ConfigErrors) -> Option<T> {
    if section.is_none() {
        errors.push(path, "is missing");
    }
    section
}

pub(crate) fn read_section<T: DeserializeOwned>(
    raw: &RawValue,
    path: &str,
    errors: &mut ConfigErrors,
) -> Option<T> {
    read_json(raw.get().as_bytes(), path, errors)
}

/// The default for a section that is not there.
pub(crate) fn read_or_default<T: DeserializeOwned + Default>(
    section: Option<&RawValue>,
    path: &str,
    errors: &mut ConfigErrors,
) -> Option<T> {
    match section {
        Some(raw) => read_section(raw, path, errors),
        None => Some(T::default()),
    }
}

pub(crate) fn read_json<'a, T: Deserialize<'a>>(
    text: &'a [u8],
    path: &str,
    errors: &mut ConfigErrors,
) -> Option<T> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let inner = error.path().to_string();
        (inner, without_values(error.inner()))
    });
    let read = read.and_then(|value| match json.end() {
        Ok(()) => Ok(value),
        Err(error) => Err((String::new(), without_values(&error))),
    });
    match read {
        Ok(value) => Some(value),
        Err((inner, message)) => {
            errors.push(field_path(path, &inner), message);
            None
        }
    }
}

fn field_path(section: &str, inner: &str) -> String {
    match (section, inner) {
        (section, "." | "") => section.to_owned(),
        ("", inner) => inner.to_owned(),
        (section, inner) if inner.starts_with('[') => format!("{section}{inner}"),
        (section, inner) => format!("{section}.{inner}"),
    }
}

/// serde's message without the value that it did not like: `invalid type: string "x", expected u16`
/// becomes `expected u16`. Somebody may have pasted a secret where it does not belong.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if text.starts_with("invalid ") {
        if let Some((_, expected)) = text.rsplit_once(", expected ") {
            return format!("expected {expected}");
        }
        return "has the wrong type".to_owned();
    }
    text.to_owned()
}
