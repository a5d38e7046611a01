//! JSON Schemas as files, and what they say about a document.

use std::fs;
use std::path::Path;

use jsonschema::Registry;
use serde_json::Value;

pub fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What is wrong with `document`, a line a fault; `others` are schemas the first one refers to, with
/// the names by which it does.
pub fn faults(schema: &Value, others: &[(String, Value)], document: &Value) -> Vec<String> {
    let mut registry = Registry::new();
    for (name, other) in others {
        registry = registry.add(name, other.clone()).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let validator = jsonschema::options().with_registry(&registry).build(schema).unwrap();
    let fault =
        |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    validator.iter_errors(document).map(fault).collect()
}
