//! Kubernetes manifests as they are shipped: YAML files of several documents.

use serde::Deserialize;
use serde_json::Value;
use stack::built::Built;

/// The documents of a file, from the root of the source tree.
///
/// # Panics
/// There is no such file, or it is no YAML.
pub fn read(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(Built::root().join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    parse(&text)
}

/// The documents of a text, with the items of a `List` in its place.
///
/// # Panics
/// It is no YAML.
pub fn parse(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let documents = documents.map(|document| Value::deserialize(document).expect("YAML"));
    let items = documents.flat_map(|document| match document.get("items") {
        Some(Value::Array(items)) if document["kind"] == "List" => items.clone(),
        _ => vec![document],
    });
    items.filter(|document| !document.is_null()).collect()
}

/// The one document of this kind and name.
///
/// # Panics
/// There is none.
pub fn find<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let wanted =
        |document: &&Value| document["kind"] == kind && document["metadata"]["name"] == name;
    documents.iter().find(wanted).unwrap_or_else(|| panic!("no {kind} {name}"))
}
