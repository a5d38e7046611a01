//! The attributes as variables of an expression.

use super::super::properties::{self, AttributeValue};
use crate::headers::HeaderMap;
use crate::properties::Properties;
use crate::vm::{ContextKind, VmState};
use cel::objects::{Key, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// The maps with the attributes that Envoy itself puts into them.
const MAPS: [(&str, &[&str]); 7] = [
    (
        "request",
        &[
            "path",
            "url_path",
            "host",
            "scheme",
            "method",
            "referer",
            "useragent",
            "time",
            "id",
            "protocol",
            "query",
            "size",
            "total_size",
            "headers_bytes",
            "duration",
            "headers",
        ],
    ),
    (
        "response",
        &[
            "code",
            "code_details",
            "flags",
            "grpc_status",
            "headers",
            "trailers",
            "size",
            "total_size",
            "headers_bytes",
            "backend_latency",
        ],
    ),
    ("connection", &["id", "mtls", "requested_server_name"]),
    ("source", &["address", "port"]),
    ("destination", &["address", "port"]),
    (
        "upstream",
        &[
            "address",
            "port",
            "local_address",
            "transport_failure_reason",
            "request_attempt_count",
            "cx_pool_ready_duration",
            "num_endpoints",
        ],
    ),
    (
        "xds",
        &[
            "cluster_name",
            "cluster_metadata",
            "route_name",
            "route_metadata",
            "virtual_host_name",
            "virtual_host_metadata",
            "filter_chain_name",
            "listener_metadata",
            "listener_direction",
        ],
    ),
];
const NODE: [&str; 4] = ["id", "cluster", "user_agent_name", "metadata"];
const OF_PLUGIN: [&str; 4] = ["plugin_name", "plugin_root_id", "plugin_vm_id", "connection_id"];
/// What `proxy_set_property` wrote.
const OF_WASM: &str = "wasm.";

type Fields = HashMap<Key, Value>;

/// All that an expression in a callback for this context can name.
pub fn of(state: &mut VmState, subject: u32) -> Vec<(String, Value)> {
    let properties = match state.contexts.get(&subject).map(|context| &context.kind) {
        Some(ContextKind::Http(stream)) => Some(stream.properties.borrow().clone()),
        Some(ContextKind::Connection(connection)) => Some(connection.properties.clone()),
        _ => None,
    };
    let mut variables = Vec::new();
    for (map, attributes) in MAPS {
        let mut fields = Fields::new();
        for attribute in attributes {
            let path = format!("{map}\0{attribute}");
            if let Some(value) = properties::known(state, subject, &path) {
                fields.insert(key(attribute), value_of(value));
            }
        }
        if map == "xds" {
            fields.insert(key("node"), node(state, subject));
        }
        if let Some(properties) = &properties {
            overlay(map, &mut fields, properties);
        }
        if properties.is_some() || map == "xds" {
            variables.push((map.to_owned(), fields.into()));
        }
    }
    for name in OF_PLUGIN {
        let value = properties::known(state, subject, name);
        variables.extend(value.map(|value| (name.to_owned(), value_of(value))));
    }
    variables.extend(properties.iter().flat_map(own));
    variables
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn value_of(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Text(bytes) => match String::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) => error.into_bytes().into(),
        },
        AttributeValue::Int(number) => Value::Int(number),
        AttributeValue::Uint(number) => Value::UInt(number),
        AttributeValue::Bool(is) => Value::Bool(is),
        AttributeValue::Duration(duration) => {
            Value::Duration(chrono::Duration::from_std(duration).unwrap_or_default())
        }
        AttributeValue::Timestamp(nanos) => {
            let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
            Value::Timestamp(chrono::DateTime::from_timestamp_nanos(nanos).fixed_offset())
        }
        AttributeValue::Headers(headers) => of_headers(&headers),
        // The messages among the attributes above are those of metadata.
        AttributeValue::Message(_) => {
            Fields::from([(key("filter_metadata"), Fields::new().into())]).into()
        }
        AttributeValue::EmptyMap => Fields::new().into(),
    }
}

/// Each name once, its values as one.
fn of_headers(headers: &HeaderMap) -> Value {
    let text = |name: &str| {
        let values: Vec<_> = headers.all(name).collect();
        String::from_utf8_lossy(&values.join(&b',')).into_owned()
    };
    let fields = headers.iter().map(|(name, _)| (key(name), text(name).into()));
    fields.collect::<Fields>().into()
}

fn node(state: &mut VmState, subject: u32) -> Value {
    let mut fields = Fields::new();
    for name in NODE {
        if let Some(value) = properties::known(state, subject, &format!("xds\0node\0{name}")) {
            fields.insert(key(name), value_of(value));
        }
    }
    fields.into()
}

/// What a test scripts takes the place of what is ordinary.
fn overlay(map: &str, fields: &mut Fields, properties: &Properties) {
    for (path, value) in properties.scripted() {
        if let Some(attribute) = path.strip_prefix(map).and_then(|rest| rest.strip_prefix('\0')) {
            fields.insert(key(attribute), value_of(AttributeValue::text(value)));
        }
    }
    let tree = properties.tree().get(map).and_then(serde_json::Value::as_object);
    for (name, value) in tree.into_iter().flatten() {
        fields.extend(cel::to_value(value).ok().map(|value| (key(name), value)));
    }
}

/// Metadata, the filter state, and what the guest set itself.
fn own(properties: &Properties) -> Vec<(String, Value)> {
    let metadata = properties.tree().get("metadata").and_then(|value| cel::to_value(value).ok());
    let empty = || value_of(AttributeValue::empty_message());
    let mut variables = vec![("metadata".to_owned(), metadata.unwrap_or_else(empty))];
    let mut fields = Fields::new();
    for (name, value) in properties.filter_objects() {
        fields.insert(key(name), value.to_vec().into());
        if let Some(own) = name.strip_prefix(OF_WASM) {
            variables.push((own.to_owned(), value.to_vec().into()));
        }
    }
    variables.push(("filter_state".to_owned(), fields.into()));
    variables
}
