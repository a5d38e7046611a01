//! Properties: attributes of a stream and its filter state.

use super::call::{ENV, GuestCaller, OutPointer, run};
use crate::attributes::{self, AttributeBytes};
use crate::headers::HeaderMap;
use crate::status::Status;
use crate::stream::HttpStream;
use crate::vm::{ContextKind, VmState};
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
            return Err(Status::SerializationFailure.into());
        }
        let value = value_of(call.state(), &path)?;
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
            _ => return Err(Status::NotFound.into()),
        };
        if is_set { Ok(()) } else { Err(Status::BadArgument.into()) }
    })
}

/// Attributes whose value is a map, which Envoy does not serialise.
const MAPS: [&str; 8] = [
    "connection",
    "destination",
    "filter_state",
    "request",
    "response",
    "source",
    "upstream",
    "xds",
];

/// What was scripted, then what Envoy knows, then what the guest set itself.
fn value_of(state: &mut VmState, path: &[u8]) -> std::result::Result<Vec<u8>, Status> {
    let subject = state.subject();
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
    if properties.is_some() && MAPS.contains(&text) {
        return Err(Status::SerializationFailure);
    }
    match properties.as_ref().and_then(|properties| properties.attribute(text)) {
        Some(AttributeBytes::Bytes(bytes)) => return Ok(bytes),
        Some(AttributeBytes::Unserialisable) => return Err(Status::SerializationFailure),
        None => {}
    }
    let known = match text.split_once('\0') {
        Some(("request", attribute)) => {
            state.http(subject).and_then(|stream| of_request(stream, attribute))
        }
        Some(("response", attribute)) => {
            state.http(subject).and_then(|stream| of_response(stream, attribute))
        }
        // A map without pairs.
        Some(("metadata", "filter_metadata")) if properties.is_some() => Some(vec![0; 4]),
        Some(_) => state.http(subject).and_then(|_| of_surroundings(text)),
        // A message without fields.
        None if properties.is_some() && text == "metadata" => Some(Vec::new()),
        None => of_plugin(state, text),
    };
    let own = || {
        // Of a path in segments only the first is looked for, as an attribute.
        let properties = properties.as_ref().filter(|_| !text.contains('\0'))?;
        properties.set_under(text)
    };
    known.or_else(|| own().map(<[u8]>::to_vec)).ok_or(Status::NotFound)
}

fn of_plugin(state: &mut VmState, name: &str) -> Option<Vec<u8>> {
    let vm_id = state.identity.vm_id.clone();
    let (_, root) = state.subject_root()?;
    match name {
        "plugin_name" => Some(root.plugin.name.clone().into_bytes()),
        "plugin_root_id" => Some(root.plugin.root_id.clone().into_bytes()),
        "plugin_vm_id" => Some(vm_id.into_bytes()),
        _ => None,
    }
}

/// Derived from the headers while they are there, and from what has come of the body.
fn of_request(stream: &HttpStream, attribute: &str) -> Option<Vec<u8>> {
    let half = &stream.request;
    let size = half.passed.as_ref().map_or(0, |passed| passed.body.len()) + half.body.len();
    match attribute {
        "size" => return Some(integer(size)),
        "total_size" => return Some(integer(size + half.headers.byte_size())),
        _ => {}
    }
    if !(half.visible.headers || stream.logging) {
        return None;
    }
    let header = |name: &str| half.headers.get(name).map(<[u8]>::to_vec);
    let path = || header(":path").unwrap_or_default();
    let split = |path: &[u8]| path.iter().position(|b| *b == b'?');
    match attribute {
        "method" => header(":method"),
        "host" => header(":authority"),
        "scheme" => header(":scheme"),
        "path" => header(":path"),
        "url_path" => {
            let mut path = path();
            path.truncate(split(&path).unwrap_or(path.len()));
            Some(path)
        }
        "query" => {
            let path = path();
            Some(split(&path).and_then(|at| path.get(at + 1..)).unwrap_or_default().to_vec())
        }
        "id" => header("x-request-id"),
        "referer" => header("referer"),
        "useragent" => header("user-agent"),
        "headers" => Some(attributes::of_headers(&half.headers)),
        _ => in_map(attribute, "headers", &half.headers),
    }
}

/// Maps that are not there yet are empty.
fn of_response(stream: &HttpStream, attribute: &str) -> Option<Vec<u8>> {
    let half = &stream.response;
    let size = || half.passed.as_ref().map_or(0, |passed| passed.body.len()) + half.body.len();
    match attribute {
        "code" => {
            let code: i64 = half.headers.text(":status")?.parse().ok()?;
            Some(code.to_le_bytes().to_vec())
        }
        "code_details" => {
            half.headers.get(":status")?;
            let reply = stream.reply.as_ref().map(|reply| reply.details.as_str());
            Some(reply.unwrap_or("via_upstream").into())
        }
        "flags" => Some(integer(0)),
        "size" => Some(integer(size())),
        "headers" => Some(attributes::of_headers(&half.headers)),
        "trailers" => Some(attributes::of_headers(&half.trailers)),
        _ => in_map(attribute, "headers", &half.headers)
            .or_else(|| in_map(attribute, "trailers", &half.trailers)),
    }
}

/// `headers NUL name`: all values of it, as one.
fn in_map(attribute: &str, map: &str, headers: &HeaderMap) -> Option<Vec<u8>> {
    let (own, name) = attribute.split_once('\0')?;
    let values: Vec<_> = headers.all(name).filter(|_| own == map).collect();
    (!values.is_empty()).then(|| values.join(&b','))
}

/// What Envoy says of a stream in a configuration without metadata, of an inbound connection without TLS.
fn of_surroundings(path: &str) -> Option<Vec<u8>> {
    match path {
        "connection\0requested_server_name"
        | "xds\0listener_metadata"
        | "xds\0route_metadata"
        | "xds\0virtual_host_metadata"
        | "xds\0cluster_metadata" => Some(Vec::new()),
        "xds\0listener_direction" => Some(integer(0)),
        _ => {
            // A map without pairs.
            let metadata = path.strip_suffix("\0filter_metadata")?;
            metadata.starts_with("xds\0").then(|| of_surroundings(metadata))?.map(|_| vec![0; 4])
        }
    }
}

fn integer(number: usize) -> Vec<u8> {
    i64::try_from(number).unwrap_or(i64::MAX).to_le_bytes().to_vec()
}
