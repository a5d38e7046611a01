//! Properties: attributes of a stream and its filter state.

mod exchange;
mod surroundings;
mod value;

use super::call::{ENV, GuestCaller, OutPointer, run};
use crate::attributes::AttributeBytes;
use crate::status::Status;
use crate::vm::{ContextKind, VmState};
pub use value::AttributeValue;
use wasmtime::{Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_get_property", get)?;
    linker.func_wrap(ENV, "proxy_set_property", set)?;
    Ok(())
}

fn get(guest: GuestCaller<'_>, path: u32, path_size: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_get_property", |call| {
        let path = call.bytes("path", path, path_size)?;
        if path.is_empty() {
            return Err(Status::SerializationFailure);
        }
        let subject = call.state().subject();
        let value = value_of(call.state(), subject, &path)?;
        call.give(&value, OutPointer { address, size })
    })
}

/// Lands in filter state `wasm.<path>`.
fn set(guest: GuestCaller<'_>, path: u32, path_size: u32, value: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_set_property", |call| {
        let path = call.bytes("path", path, path_size)?;
        let value = call.bytes("value", value, size)?;
        let state = call.state();
        let read_only = state
            .subject_root()
            .and_then(|(_, root)| root.prototypes.get(&path))
            .is_some_and(|prototype| prototype.read_only);
        let subject = state.subject();
        let is_set = match state.contexts.get_mut(&subject).map(|c| &mut c.kind) {
            Some(ContextKind::Http(stream)) => {
                stream.properties.borrow_mut().set_by_guest(&path, value, read_only)
            }
            Some(ContextKind::Connection(connection)) => {
                connection.properties.set_by_guest(&path, value, read_only)
            }
            _ => return Err(Status::NotFound),
        };
        if is_set { Ok(()) } else { Err(Status::BadArgument) }
    })
}

/// Attributes whose value is a map, which Envoy does not serialise.
const MAPS: [&str; 7] =
    ["connection", "destination", "filter_state", "request", "response", "source", "upstream"];

/// What was scripted, then what Envoy knows, then what the guest set itself.
pub fn value_of(
    state: &mut VmState,
    subject: u32,
    path: &[u8],
) -> std::result::Result<Vec<u8>, Status> {
    let properties = match state.contexts.get(&subject).map(|context| &context.kind) {
        Some(ContextKind::Http(stream)) => Some(stream.properties.borrow().clone()),
        Some(ContextKind::Connection(connection)) => Some(connection.properties.clone()),
        _ => None,
    };
    if let Some(value) = properties.as_ref().and_then(|properties| properties.get(path)) {
        return Ok(value.to_vec());
    }
    let text = std::str::from_utf8(path).map_err(|_| Status::NotFound)?;
    // The maps of Envoy's own, as a whole.
    if properties.is_some() && MAPS.contains(&text) || text == "xds" {
        return Err(Status::SerializationFailure);
    }
    match properties.as_ref().and_then(|properties| properties.attribute(text)) {
        Some(AttributeBytes::Bytes(bytes)) => return Ok(bytes),
        Some(AttributeBytes::Unserialisable) => return Err(Status::SerializationFailure),
        None => {}
    }
    let known = match of_plugin(state, text).or_else(|| surroundings::of_node(text)) {
        Some(value) => Some(value),
        None => of_context(state, subject, text)?,
    };
    let own = || {
        // Of a path in segments only the first is looked for, as an attribute.
        let properties = properties.as_ref().filter(|_| !text.contains('\0'))?;
        properties.set_under(text)
    };
    let known = known.map(AttributeValue::into_bytes);
    known.or_else(|| own().map(<[u8]>::to_vec)).ok_or(Status::NotFound)
}

/// What Envoy knows without a script.
pub fn known(state: &mut VmState, subject: u32, path: &str) -> Option<AttributeValue> {
    let known = of_plugin(state, path).or_else(|| surroundings::of_node(path));
    known.or_else(|| of_context(state, subject, path).ok().flatten())
}

/// What Envoy knows of a stream or a connection.
fn of_context(
    state: &VmState,
    subject: u32,
    path: &str,
) -> std::result::Result<Option<AttributeValue>, Status> {
    let stream = match state.contexts.get(&subject).map(|context| &context.kind) {
        Some(ContextKind::Http(stream)) => stream,
        Some(ContextKind::Connection(_)) => return Ok(surroundings::of_connection(path)),
        _ => return Ok(None),
    };
    let now = state.simulation.borrow().now;
    if let Some(attribute) = path.strip_prefix("upstream\0") {
        return Ok(surroundings::of_upstream(stream, attribute));
    }
    let of_upstream_host =
        path.starts_with("xds\0upstream_host_") || path == "upstream_filter_state";
    if of_upstream_host && surroundings::has_upstream(stream) {
        return Err(Status::SerializationFailure);
    }
    Ok(match path.split_once('\0') {
        Some(("request", attribute)) => exchange::of_request(stream, attribute, now),
        Some(("response", attribute)) => exchange::of_response(stream, attribute),
        Some(("metadata", "filter_metadata")) => Some(AttributeValue::EmptyMap),
        None if path == "metadata" => Some(AttributeValue::empty_message()),
        _ => surroundings::of_connection(path).or_else(|| surroundings::of_route(path)),
    })
}

fn of_plugin(state: &mut VmState, name: &str) -> Option<AttributeValue> {
    let vm_id = state.identity.vm_id.clone();
    let (_, root) = state.subject_root()?;
    match name {
        "plugin_name" => Some(AttributeValue::text(root.plugin.name.as_str())),
        "plugin_root_id" => Some(AttributeValue::text(root.plugin.root_id.as_str())),
        "plugin_vm_id" => Some(AttributeValue::text(vm_id)),
        _ => None,
    }
}
