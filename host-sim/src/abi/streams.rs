//! What happens to a stream next: continue, close, answer it ourselves.
//!
//! All of it waits until the callback has returned.

use super::call::{Call, CallResult, ENV, GuestCaller, run};
use crate::message::Direction;
use crate::module::AbiVersion;
use crate::pairs;
use crate::status::Status;
use crate::stream::LocalReply;
use crate::strict::Violation;
use crate::transcript::TranscriptEvent;
use crate::vm::{ContextKind, Deferred, VmState};
use wasmtime::{Linker, Result};

/// `StreamType` of the ABI.
const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;
const DOWNSTREAM: u32 = 2;
const UPSTREAM: u32 = 3;

pub(super) fn register(linker: &mut Linker<VmState>, version: AbiVersion) -> Result<()> {
    if version >= AbiVersion::V0_2_0 {
        linker.func_wrap(ENV, "proxy_continue_stream", continue_stream)?;
        linker.func_wrap(ENV, "proxy_close_stream", close_stream)?;
    } else {
        linker.func_wrap(ENV, "proxy_continue_request", continue_request)?;
        linker.func_wrap(ENV, "proxy_continue_response", continue_response)?;
        linker.func_wrap(ENV, "proxy_clear_route_cache", clear_route_cache)?;
    }
    linker.func_wrap(ENV, "proxy_send_local_response", send_local_response)?;
    Ok(())
}

fn continue_stream(guest: GuestCaller<'_>, stream: u32) -> Result<u32> {
    run(guest, "proxy_continue_stream", |call| {
        call.number("stream", stream);
        resume(call.state(), stream)
    })
}

/// ABI 0.1.0.
fn continue_request(guest: GuestCaller<'_>) -> Result<u32> {
    run(guest, "proxy_continue_request", |call| resume(call.state(), REQUEST))
}

/// ABI 0.1.0.
fn continue_response(guest: GuestCaller<'_>) -> Result<u32> {
    run(guest, "proxy_continue_response", |call| resume(call.state(), RESPONSE))
}

/// ABI 0.1.0; since then a foreign function.
fn clear_route_cache(guest: GuestCaller<'_>) -> Result<u32> {
    run(guest, "proxy_clear_route_cache", |call| {
        let state = call.state();
        let subject = state.subject();
        if let Some(stream) = state.http_mut(subject) {
            stream.route_cache_clears += 1;
        }
        Ok(())
    })
}

fn resume(state: &mut VmState, stream: u32) -> CallResult {
    let context = state.subject();
    let deferred = match stream {
        REQUEST => Deferred::Continue { context, direction: Direction::Request },
        RESPONSE => Deferred::Continue { context, direction: Direction::Response },
        DOWNSTREAM => Deferred::ContinueDownstream { context },
        UPSTREAM => return Err(Status::Unimplemented),
        _ => return Err(Status::BadArgument),
    };
    if let Some(stream) = state.http_mut(context) {
        stream.forget_request();
    }
    state.deferred.push_back(deferred);
    Ok(())
}

fn close_stream(guest: GuestCaller<'_>, stream: u32) -> Result<u32> {
    run(guest, "proxy_close_stream", |call| {
        call.number("stream", stream);
        if stream > UPSTREAM {
            return Err(Status::BadArgument);
        }
        let state = call.state();
        let context = state.subject();
        let fits = match state.contexts.get(&context).map(|context| &context.kind) {
            Some(ContextKind::Http(_)) => stream <= RESPONSE,
            Some(ContextKind::Connection(_)) => stream >= DOWNSTREAM,
            _ => false,
        };
        if fits {
            state.deferred.push_back(Deferred::Close { context });
        }
        Ok(())
    })
}

/// Ok even where there is no stream to answer.
#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
fn send_local_response(
    guest: GuestCaller<'_>,
    status: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    grpc_status: i32,
) -> Result<u32> {
    run(guest, "proxy_send_local_response", |call| {
        call.number("status", status);
        let reply = LocalReply {
            status: u16::try_from(status).unwrap_or(u16::MAX),
            details: call.text("details", details, details_size)?,
            body: call.bytes("body", body, body_size)?,
            headers: pairs::decode(&call.bytes("headers", headers, headers_size)?),
            grpc_status: u32::try_from(grpc_status).ok(),
        };
        call.state().stop_next = true;
        order(call, reply);
        Ok(())
    })
}

fn order(call: &mut Call<'_>, reply: LocalReply) {
    let state = call.state();
    let context = state.subject();
    let Some(stream) = state.http_mut(context) else { return };
    if stream.logging || stream.reply_ordered && !stream.response.headers.is_empty() {
        call.crash = Some("a local reply when the stream is over, or a second one to a response");
        return;
    }
    if stream.reply_ordered {
        let violation = Violation::SecondLocalReply { stream: stream.id, status: reply.status };
        return call.write_down(TranscriptEvent::Violation(violation));
    }
    stream.reply_ordered = true;
    state.deferred.push_back(Deferred::Reply { context, reply });
}
