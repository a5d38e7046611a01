//! gRPC callouts: unary calls and streams, owned by the root context.

use super::call::{Call, ENV, GuestCaller, run};
use crate::events::Event;
use crate::pairs;
use crate::protobuf;
use crate::script::GrpcRequest;
use crate::status::Status;
use crate::vm::{PendingGrpc, VmState};
use std::time::Duration;
use wasmtime::{Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_grpc_call", grpc_call)?;
    linker.func_wrap(ENV, "proxy_grpc_stream", grpc_stream)?;
    linker.func_wrap(ENV, "proxy_grpc_send", send)?;
    linker.func_wrap(ENV, "proxy_grpc_close", close)?;
    linker.func_wrap(ENV, "proxy_grpc_cancel", cancel)?;
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
fn grpc_call(
    guest: GuestCaller<'_>,
    target: u32,
    target_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    message: u32,
    message_size: u32,
    timeout: u32,
    out: u32,
) -> Result<u32> {
    run(guest, "proxy_grpc_call", |call| {
        let (target, service) = ((target, target_size), (service, service_size));
        let (method, metadata) = ((method, method_size), (metadata, metadata_size));
        let mut request = opening(call, target, service, method, metadata)?;
        request.message = call.bytes("message", message, message_size)?;
        call.number("timeout", timeout);
        let timeout = (timeout > 0).then(|| Duration::from_millis(u64::from(timeout)));
        let token = begin(call, request, false, timeout)?;
        call.write_u32(out, token)
    })
}

#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
fn grpc_stream(
    guest: GuestCaller<'_>,
    target: u32,
    target_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    out: u32,
) -> Result<u32> {
    run(guest, "proxy_grpc_stream", |call| {
        let (target, service) = ((target, target_size), (service, service_size));
        let (method, metadata) = ((method, method_size), (metadata, metadata_size));
        let request = opening(call, target, service, method, metadata)?;
        let token = begin(call, request, true, None)?;
        call.write_u32(out, token)
    })
}

/// What a call and a stream begin with alike; each an address and a size in guest memory.
fn opening(
    call: &mut Call<'_>,
    target: (u32, u32),
    service: (u32, u32),
    method: (u32, u32),
    metadata: (u32, u32),
) -> std::result::Result<GrpcRequest, Status> {
    let target = call.bytes("target", target.0, target.1)?;
    Ok(GrpcRequest {
        cluster: cluster(call, &target)?,
        service: call.text("service", service.0, service.1)?,
        method: call.text("method", method.0, method.1)?,
        metadata: pairs::decode(&call.bytes("metadata", metadata.0, metadata.1)?)
            .into_iter()
            .collect(),
        message: Vec::new(),
    })
}

fn send(guest: GuestCaller<'_>, token: u32, address: u32, size: u32, end: u32) -> Result<u32> {
    run(guest, "proxy_grpc_send", |call| {
        call.number("token", token);
        let message = call.bytes("message", address, size)?;
        let (_, root) = call.state().subject_root().ok_or(Status::NotFound)?;
        if token % 4 != 2 {
            return Err(Status::BadArgument);
        }
        let pending = root.grpc.get_mut(&token).ok_or(Status::NotFound)?;
        pending.sent.push(message);
        pending.closed |= end != 0;
        Ok(())
    })
}

/// A call is cancelled by it; a stream stops sending and still receives.
fn close(guest: GuestCaller<'_>, token: u32) -> Result<u32> {
    run(guest, "proxy_grpc_close", |call| {
        call.number("token", token);
        let (_, root) = call.state().subject_root().ok_or(Status::NotFound)?;
        let pending = root.grpc.get_mut(&token).ok_or(Status::NotFound)?;
        pending.closed = true;
        if !pending.is_stream {
            root.grpc.remove(&token);
        }
        Ok(())
    })
}

fn cancel(guest: GuestCaller<'_>, token: u32) -> Result<u32> {
    run(guest, "proxy_grpc_cancel", |call| {
        call.number("token", token);
        let (_, root) = call.state().subject_root().ok_or(Status::NotFound)?;
        root.grpc.remove(&token).ok_or(Status::NotFound)?;
        Ok(())
    })
}

/// The target is a cluster's name, or a `GrpcService` message: field 1 (`envoy_grpc`), in it field 1
/// (`cluster_name`).
fn cluster(call: &Call<'_>, target: &[u8]) -> std::result::Result<String, Status> {
    let simulation = call.simulation();
    let known = |bytes: &[u8]| {
        let name = String::from_utf8_lossy(bytes).into_owned();
        simulation.clusters.get(&name).map(|_| name)
    };
    let in_message = || {
        let envoy_grpc = protobuf::bytes_field(target, 1)?;
        known(&protobuf::bytes_field(&envoy_grpc, 1)?)
    };
    known(target).or_else(in_message).ok_or(Status::ParseFailure)
}

fn begin(
    call: &mut Call<'_>,
    request: GrpcRequest,
    is_stream: bool,
    timeout: Option<Duration>,
) -> std::result::Result<u32, Status> {
    let vm = call.vm();
    let answer = {
        let mut simulation = call.simulation();
        let cluster = simulation.clusters.get_mut(&request.cluster).ok_or(Status::ParseFailure)?;
        cluster.grpc_answer(request)
    };
    let state = call.state();
    let next = if is_stream { &mut state.next_grpc_stream } else { &mut state.next_grpc_token };
    let token = *next;
    *next += 4;
    let (root, owner) = state.subject_root().ok_or(Status::BadArgument)?;
    let pending = PendingGrpc { is_stream, sent: Vec::new(), closed: false };
    owner.grpc.insert(token, pending);
    let (delay, events) = match answer {
        Some(answer) if timeout.is_none_or(|timeout| answer.delay < timeout) => {
            let delay = answer.delay;
            (delay, if is_stream { answer.streamed() } else { answer.unary() })
        }
        _ => match timeout {
            Some(timeout) => (timeout, crate::script::GrpcAnswer::failure(4, "").unary()),
            None => return Ok(token),
        },
    };
    let mut simulation = call.simulation();
    for event in events {
        simulation.schedule(delay, vm, Event::Grpc { root, token, event });
    }
    Ok(token)
}
