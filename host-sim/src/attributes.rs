//! Attributes with a structure, serialised as Envoy's wasm extension does.

use crate::headers::HeaderMap;
use crate::pairs;
use crate::protobuf;
use serde_json::{Map, Number, Value};

/// Whose metadata it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataOf {
    /// The stream's own, that filters before this one have written.
    Stream,
    Listener,
    Route,
    Cluster,
    /// The endpoint the request goes to.
    UpstreamHost,
}

/// A tree of attributes: objects with values at their ends. Messages of the type Metadata are objects
/// that are serialised otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes(Map<String, Value>);

/// What a path leads to.
pub(crate) enum AttributeBytes {
    Bytes(Vec<u8>),
    /// It is there, and has no serialised form.
    Unserialisable,
}

/// The field of a Metadata message that holds the maps.
const FILTER_METADATA: &str = "filter_metadata";

// === impl MetadataOf ===

impl MetadataOf {
    fn path(self) -> &'static [&'static str] {
        match self {
            Self::Stream => &["metadata"],
            Self::Listener => &["xds", "listener_metadata"],
            Self::Route => &["xds", "route_metadata"],
            Self::Cluster => &["xds", "cluster_metadata"],
            Self::UpstreamHost => &["xds", "upstream_host_metadata"],
        }
    }
}

// === impl Attributes ===

impl Attributes {
    /// Puts a value at a path.
    pub fn set(&mut self, path: &[&str], value: Value) {
        let Some((last, before)) = path.split_last() else { return };
        let mut object = &mut self.0;
        for name in before {
            let next = object.entry(*name).or_insert(Value::Null);
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            let Some(inner) = next.as_object_mut() else { return };
            object = inner;
        }
        object.insert((*last).to_owned(), value);
    }

    /// Metadata under a namespace. Its numbers are floating, as in every protobuf Struct.
    pub fn set_metadata(&mut self, of: MetadataOf, namespace: &str, value: Value) {
        let path = [of.path(), &[FILTER_METADATA, namespace]].concat();
        self.set(&path, floating(value));
    }

    pub fn tree(&self) -> &Map<String, Value> {
        &self.0
    }

    /// What stands at `path`, segments joined with NUL.
    pub fn get(&self, path: &str) -> Option<AttributeBytes> {
        let mut segments = path.split('\0');
        let mut value = self.0.get(segments.next()?)?;
        for segment in segments {
            value = value.get(segment)?;
        }
        let message = value.get(FILTER_METADATA).and_then(Value::as_object);
        let bytes = match message {
            Some(maps) => Some(metadata_message(maps)),
            None => serialised(value),
        };
        Some(bytes.map_or(AttributeBytes::Unserialisable, AttributeBytes::Bytes))
    }
}

fn floating(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().and_then(Number::from_f64);
            float.map_or(Value::Null, Value::Number)
        }
        Value::Array(values) => Value::Array(values.into_iter().map(floating).collect()),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, floating(value))).collect()
        }
        other => other,
    }
}

/// Text as it is, numbers in 8 bytes, a bool in one, maps as the ABI's pairs, lists as pairs without
/// values; there is no null.
fn serialised(value: &Value) -> Option<Vec<u8>> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(is) => vec![u8::from(*is)],
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.to_le_bytes().to_vec(),
            None => number.as_f64()?.to_le_bytes().to_vec(),
        },
        Value::String(text) => text.clone().into_bytes(),
        Value::Array(values) => {
            let elements = values.iter().map(|value| Some((serialised(value)?, Vec::new())));
            pairs::encode_bytes(&elements.collect::<Option<Vec<_>>>()?)
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| Some((name.clone().into_bytes(), serialised(value)?)));
            pairs::encode_bytes(&fields.collect::<Option<Vec<_>>>()?)
        }
    })
}

/// Headers as a map attribute: each name once, its values as one.
pub(crate) fn of_headers(headers: &HeaderMap) -> Vec<u8> {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (name, value) in headers.iter() {
        match pairs.iter_mut().find(|(own, _)| own == name.as_bytes()) {
            Some((_, values)) => {
                values.push(b',');
                values.extend_from_slice(value);
            }
            None => pairs.push((name.as_bytes().to_vec(), value.to_vec())),
        }
    }
    pairs::encode_bytes(&pairs)
}

/// `envoy.config.core.v3.Metadata {map<string, Struct> filter_metadata = 1}`
fn metadata_message(maps: &Map<String, Value>) -> Vec<u8> {
    let mut message = Vec::new();
    for (namespace, value) in maps {
        let fields = value.as_object().map(structure).unwrap_or_default();
        protobuf::push_bytes(&mut message, 1, &entry(namespace, &fields));
    }
    message
}

/// An entry of a protobuf map.
fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    protobuf::push_bytes(&mut entry, 1, key.as_bytes());
    protobuf::push_bytes(&mut entry, 2, value);
    entry
}

/// `google.protobuf.Struct {map<string, Value> fields = 1}`
fn structure(fields: &Map<String, Value>) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, value) in fields {
        protobuf::push_bytes(&mut message, 1, &entry(name, &structured(value)));
    }
    message
}

/// `google.protobuf.Value`
fn structured(value: &Value) -> Vec<u8> {
    let mut message = Vec::new();
    match value {
        Value::Null => protobuf::push_number(&mut message, 1, 0),
        Value::Number(number) => {
            protobuf::push_double(&mut message, 2, number.as_f64().unwrap_or_default());
        }
        Value::String(text) => protobuf::push_bytes(&mut message, 3, text.as_bytes()),
        Value::Bool(is) => protobuf::push_number(&mut message, 4, u64::from(*is)),
        Value::Object(fields) => protobuf::push_bytes(&mut message, 5, &structure(fields)),
        Value::Array(values) => {
            let mut list = Vec::new();
            for value in values {
                protobuf::push_bytes(&mut list, 1, &structured(value));
            }
            protobuf::push_bytes(&mut message, 6, &list);
        }
    }
    message
}
