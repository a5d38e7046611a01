//! Attributes and filter state, as `proxy_get_property` sees them.

use crate::attributes::{AttributeBytes, Attributes, MetadataOf};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a stream's properties are, apart from those the host derives from its headers.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// Path segments joined with NUL, as on the wire.
    scripted: BTreeMap<Vec<u8>, Vec<u8>>,
    attributes: Attributes,
    filter_state: BTreeMap<String, FilterObject>,
}

/// A value in a stream's filter state.
#[derive(Clone, Debug)]
pub(crate) struct FilterObject {
    pub value: Vec<u8>,
    pub read_only: bool,
}

/// Envoy puts what `proxy_set_property` writes under this prefix.
const OF_WASM: &str = "wasm.";

// === impl Properties ===

impl Properties {
    /// Gives an attribute a value, in its serialised form: text as it is, integers as 8 bytes little
    /// endian, a bool as one byte.
    pub fn set(&mut self, path: &[&str], value: impl Into<Vec<u8>>) {
        self.scripted.insert(path.join("\0").into_bytes(), value.into());
    }

    /// Gives an attribute a value and has it serialised as Envoy does: text as it is, whole numbers and
    /// others in 8 bytes, maps and lists as the ABI's pairs. What is in a map has a path of its own.
    pub fn set_attribute(&mut self, path: &[&str], value: Value) {
        self.attributes.set(path, value);
    }

    /// Metadata under a namespace, such as `envoy.lb`.
    pub fn set_metadata(&mut self, of: MetadataOf, namespace: &str, value: Value) {
        self.attributes.set_metadata(of, namespace, value);
    }

    /// What stands in the tree of attributes.
    pub(crate) fn attribute(&self, path: &str) -> Option<AttributeBytes> {
        self.attributes.get(path)
    }

    /// Attributes that were scripted in their serialised form, by path.
    pub(crate) fn scripted(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text = |path| std::str::from_utf8(path).ok();
        self.scripted.iter().filter_map(move |(path, value)| Some((text(path)?, value.as_slice())))
    }

    /// Attributes that were scripted with a structure.
    pub(crate) fn tree(&self) -> &Map<String, Value> {
        self.attributes.tree()
    }

    pub(crate) fn filter_objects(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.filter_state.iter().map(|(key, object)| (key.as_str(), object.value.as_slice()))
    }

    /// An object that an earlier filter left.
    pub fn set_filter_state(&mut self, key: &str, value: impl Into<Vec<u8>>) {
        let object = FilterObject { value: value.into(), read_only: false };
        self.filter_state.insert(key.to_owned(), object);
    }

    /// An object of the filter state, by its full key (`wasm.` included).
    pub fn filter_state(&self, key: &str) -> Option<&[u8]> {
        self.filter_state.get(key).map(|object| object.value.as_slice())
    }

    /// What the guest set with `proxy_set_property`; false where that object is read-only.
    pub(crate) fn set_by_guest(&mut self, path: &[u8], value: Vec<u8>, read_only: bool) -> bool {
        let key = format!("{OF_WASM}{}", String::from_utf8_lossy(path));
        if self.filter_state.get(&key).is_some_and(|object| object.read_only) {
            return false;
        }
        self.filter_state.insert(key, FilterObject { value, read_only });
        true
    }

    /// Scripted attributes, then filter state by its key.
    pub(crate) fn get(&self, path: &[u8]) -> Option<&[u8]> {
        if let Some(value) = self.scripted.get(path) {
            return Some(value);
        }
        match std::str::from_utf8(path).ok()?.split_once('\0') {
            Some(("filter_state", key)) => self.filter_state(key),
            _ => None,
        }
    }

    /// What the guest set under this path.
    pub(crate) fn set_under(&self, path: &str) -> Option<&[u8]> {
        self.filter_state(&format!("{OF_WASM}{path}"))
    }
}
