//! The output of a command: the value as text, or JSON that holds it.

use crate::BackendFault;
use lease::{Secret, UnixSeconds};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::time::UNIX_EPOCH;

/// How a command writes the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Format {
    /// The whole output, without the line ends at its end.
    Text,
    Json(JsonFields),
}

/// Where the parts are, as JSON pointers (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JsonFields {
    pub value: String,
    /// Unix seconds, or a time as RFC 3339 writes it.
    pub expires_at: Option<String>,
}

/// The value of an output, and its end.
pub(super) struct Value {
    pub secret: Secret,
    /// `None`: the output has no end.
    pub expires_at: Option<UnixSeconds>,
}

/// JSON whose texts are wiped.
enum Node {
    Text(Secret),
    Number(f64),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
    Other,
}

/// # Errors
/// [`BackendFault::Unfit`]: it does not match the configuration. No text of it is repeated.
pub(super) fn read(output: &[u8], format: &Format) -> Result<Value, BackendFault> {
    let value = match format {
        Format::Text => {
            let end = output.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
            let text = output.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
            Value { secret: Secret::new(text), expires_at: None }
        }
        Format::Json(fields) => read_json(output, fields)?,
    };
    match value.secret.expose() {
        [] => Err(BackendFault::Unfit("the command wrote no value")),
        _ => Ok(value),
    }
}

fn read_json(output: &[u8], fields: &JsonFields) -> Result<Value, BackendFault> {
    let whole: Node = serde_json::from_slice(output)
        .map_err(|_| BackendFault::Unfit("the command did not write JSON"))?;
    let expires_at = match &fields.expires_at {
        None => None,
        Some(pointer) => {
            let unfit = BackendFault::Unfit("its JSON has no time where json.expires_at points");
            Some(whole.at(pointer).and_then(|node| node.time()).ok_or(unfit)?)
        }
    };
    match whole.at(&fields.value) {
        Some(Node::Text(text)) => Ok(Value { secret: text.duplicate(), expires_at }),
        _ => Err(BackendFault::Unfit("its JSON has no text where json.value points")),
    }
}

// === impl Node ===

impl Node {
    fn at(&self, pointer: &str) -> Option<&Self> {
        let mut node = self;
        // The empty pointer is the whole; every other begins with a slash.
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            node = match node {
                Self::Map(fields) => fields.get(&part)?,
                Self::List(items) => items.get(index(&part)?)?,
                Self::Text(_) | Self::Number(_) | Self::Other => return None,
            };
        }
        Some(node)
    }

    fn time(&self) -> Option<UnixSeconds> {
        match self {
            // Saturates; a time before 1970 is 0, and over.
            Self::Number(seconds) => Some(*seconds as u64),
            Self::Text(text) => time_of(std::str::from_utf8(text.expose()).ok()?),
            Self::List(_) | Self::Map(_) | Self::Other => None,
        }
    }
}

/// RFC 6901 section 4: digits without a leading zero.
fn index(text: &str) -> Option<usize> {
    let index = text.parse::<usize>().ok()?;
    (index.to_string() == text).then_some(index)
}

/// `1767225600`, `2026-01-01T00:00:00Z`, `2026-01-01T02:00:00.123+02:00`. A time without a zone could be
/// hours off, so it is refused.
fn time_of(text: &str) -> Option<UnixSeconds> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds);
    }
    let (local, east) = match text.strip_suffix(['Z', 'z']) {
        Some(local) => (local, 0),
        None => {
            let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
            let (sign, offset) = offset.split_at_checked(1)?;
            let (hours, minutes) = offset.split_once(':')?;
            let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
            let seconds = (hours * 60 + minutes) * 60;
            let seconds = match sign {
                "+" => seconds,
                "-" => -seconds,
                _ => return None,
            };
            (local, seconds)
        }
    };
    let at = humantime::parse_rfc3339_weak(&format!("{local}Z")).ok()?;
    let at = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    at.checked_add_signed(-east)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyNode)
    }
}

/// By hand, because `serde_json::Value` keeps texts that nobody wipes.
struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(Secret::new(text)))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(Secret::new(text)))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Number(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((name, node)) = entries.next_entry::<String, Node>()? {
            if map.insert(name, node).is_some() {
                return Err(A::Error::custom("a name is there twice"));
            }
        }
        Ok(Node::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(
        text: &str,
        value: &str,
        expires_at: Option<&str>,
    ) -> Result<(String, Option<u64>), String> {
        let fields = JsonFields { value: value.into(), expires_at: expires_at.map(str::to_owned) };
        let read =
            read(text.as_bytes(), &Format::Json(fields)).map_err(|fault| fault.to_string())?;
        Ok((String::from_utf8(read.secret.expose().to_vec()).unwrap(), read.expires_at))
    }

    #[test]
    fn a_text_is_read_without_its_line_ends() {
        for (output, wanted) in [
            ("key\n", "key"),
            ("key\r\n\n", "key"),
            ("key", "key"),
            (" two\nlines \n", " two\nlines "),
        ] {
            let value = read(output.as_bytes(), &Format::Text).ok().unwrap();
            assert_eq!((value.secret.expose(), value.expires_at), (wanted.as_bytes(), None));
        }
        for empty in ["", "\n", "\r\n\n"] {
            assert!(read(empty.as_bytes(), &Format::Text).is_err());
        }
    }

    #[test]
    fn json_is_read_by_its_pointers() {
        let kubernetes =
            r#"{"status": {"token": "t", "expirationTimestamp": "2026-01-01T00:00:00Z"}}"#;
        assert_eq!(
            json(kubernetes, "/status/token", Some("/status/expirationTimestamp")),
            Ok(("t".into(), Some(1_767_225_600)))
        );
        let list = r#"{"data": [{"a/b": "t", "end": 7.9}], "flag": true, "none": null}"#;
        assert_eq!(json(list, "/data/0/a~1b", Some("/data/0/end")), Ok(("t".into(), Some(7))));
        assert_eq!(json("\"t\"", "", None), Ok(("t".into(), None)));
        for (text, value, expires_at) in [
            ("canary", "/a", None),
            (r#"{"a": "canary"}"#, "/b", None),
            (r#"{"a": "canary"}"#, "/a/b", None),
            (r#"{"a": ["canary"]}"#, "/a/1", None),
            (r#"{"a": ["canary"]}"#, "/a/00", None),
            (r#"{"a": ["canary"]}"#, "/a/+0", None),
            (r#"{"a": ["canary"]}"#, "/a", None),
            (r#"{"a": ""}"#, "/a", None),
            (r#"{"a": "canary"}"#, "/a", Some("/end")),
            (r#"{"a": "canary", "end": "canary"}"#, "/a", Some("/end")),
            (r#"{"a": "canary", "end": null}"#, "/a", Some("/end")),
            (r#"{"a": "canary", "a": "canary"}"#, "/a", None),
        ] {
            let fault = json(text, value, expires_at).unwrap_err();
            assert!(!fault.contains("canary"), "{fault}");
        }
    }

    #[test]
    fn times_of_all_sorts() {
        for (text, wanted) in [
            ("1767225600", Some(1_767_225_600)),
            ("2026-01-01T00:00:00Z", Some(1_767_225_600)),
            ("2026-01-01T02:30:00.123456+02:30", Some(1_767_225_600)),
            ("2025-12-31T19:00:00-05:00", Some(1_767_225_600)),
            ("2026-01-01 00:00:00+00:00", Some(1_767_225_600)),
            ("2026-01-01 00:00:00.000000", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01", None),
            ("tomorrow", None),
            ("", None),
            ("-1", None),
            ("é:00", None),
        ] {
            assert_eq!(time_of(text), wanted, "{text}");
        }
    }
}
