//! Envoy's foreign functions.

use super::call::{Call, CallResult, ENV, run};
use super::{cel, crypto, zlib};
use crate::protobuf;
use crate::status::Status;
use crate::transcript::TranscriptEvent;
use crate::vm::{ContextKind, Prototype, VmState};
use wasmtime::{Caller, Linker, Result};

/// Filter state a guest may set through `set_envoy_filter_state`: keys Envoy has a factory for.
const KNOWN_OBJECTS: [&str; 10] = [
    "envoy.string",
    "envoy.hashable_string",
    "envoy.network.application_protocols",
    "envoy.network.upstream_server_name",
    "envoy.network.upstream_subject_alt_names",
    "envoy.tcp_proxy.cluster",
    "envoy.upstream.dynamic_host",
    "envoy.upstream.dynamic_port",
    "envoy.ratelimit.hits_addend",
    "io.istio.peer_principal",
];

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_call_foreign_function", call_foreign)?;
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
fn call_foreign(
    guest: Caller<'_, VmState>,
    name: u32,
    name_size: u32,
    argument: u32,
    argument_size: u32,
    address: u32,
    size: u32,
) -> Result<u32> {
    run(guest, "proxy_call_foreign_function", |call| {
        let name = call.text("name", name, name_size)?;
        let argument = call.bytes("argument", argument, argument_size)?;
        let scripted = call.simulation().foreign.get(&name).cloned();
        if let Some(scripted) = scripted {
            return hand_over(call, &scripted.answer()?, address, size);
        }
        let result = match name.as_str() {
            "verify_signature" => crypto::verify_signature(&argument)?,
            "sign" => crypto::sign(&argument)?,
            "compress" => zlib::compress(&argument)?,
            "uncompress" => zlib::uncompress(&argument)?,
            "set_envoy_filter_state" => set_filter_state(call, &argument)?,
            "expr_create" => cel::create(call, &argument)?,
            "expr_evaluate" => cel::evaluate(call, &argument)?,
            "expr_delete" => cel::delete(call, &argument)?,
            "clear_route_cache" => clear_route_cache(call),
            "declare_property" => declare_property(call, &argument)?,
            _ => {
                call.write_down(TranscriptEvent::NoForeignFunction { name });
                return Err(Status::NotFound);
            }
        };
        hand_over(call, &result, address, size)
    })
}

/// Addresses of 0 mean that the guest does not want the result.
fn hand_over(call: &mut Call<'_>, result: &[u8], address: u32, size: u32) -> CallResult {
    if address == 0 || size == 0 {
        return Ok(());
    }
    call.give(result, super::call::OutPointer { address, size })
}

/// `SetEnvoyFilterStateArguments {path = 1, value = 2, span = 3}`.
fn set_filter_state(call: &mut Call<'_>, argument: &[u8]) -> std::result::Result<Vec<u8>, Status> {
    if !protobuf::is_well_formed(argument) {
        return Err(Status::BadArgument);
    }
    let path = protobuf::bytes_field(argument, 1).unwrap_or_default();
    let value = protobuf::bytes_field(argument, 2).unwrap_or_default();
    let key = String::from_utf8(path).map_err(|_| Status::BadArgument)?;
    if !KNOWN_OBJECTS.contains(&key.as_str()) {
        return Err(Status::NotFound);
    }
    let state = call.state();
    let subject = state.subject();
    match state.contexts.get_mut(&subject).map(|context| &mut context.kind) {
        Some(ContextKind::Http(stream)) => {
            stream.properties.borrow_mut().set_filter_state(&key, value)
        }
        Some(ContextKind::Connection(connection)) => {
            connection.properties.set_filter_state(&key, value)
        }
        _ => return Err(Status::NotFound),
    }
    Ok(Vec::new())
}

fn clear_route_cache(call: &mut Call<'_>) -> Vec<u8> {
    let state = call.state();
    let subject = state.subject();
    if let Some(stream) = state.http_mut(subject) {
        stream.route_cache_clears += 1;
    }
    Vec::new()
}

/// `DeclarePropertyArguments {name = 1, readonly = 2, ...}`; a second declaration is refused.
fn declare_property(call: &mut Call<'_>, argument: &[u8]) -> std::result::Result<Vec<u8>, Status> {
    let name = protobuf::bytes_field(argument, 1).ok_or(Status::BadArgument)?;
    let read_only = protobuf::number_field(argument, 2).is_some_and(|number| number != 0);
    let (_, root) = call.state().subject_root().ok_or(Status::BadArgument)?;
    if root.prototypes.contains_key(&name) {
        return Err(Status::BadArgument);
    }
    root.prototypes.insert(name, Prototype { read_only });
    Ok(Vec::new())
}
