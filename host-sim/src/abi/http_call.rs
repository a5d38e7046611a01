//! HTTP callouts. They belong to the root context, whichever stream made them.

use super::call::{Call, ENV, run};
use crate::events::Event;
use crate::headers::HeaderMap;
use crate::message::Message;
use crate::pairs;
use crate::script::{Answer, CalloutRequest};
use crate::simulation::HeldCallout;
use crate::status::Status;
use crate::transcript::TranscriptEvent;
use crate::vm::{PendingCallout, VmState};
use std::time::Duration;
use wasmtime::{Caller, Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_http_call", http_call)?;
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
fn http_call(
    guest: Caller<'_, VmState>,
    cluster: u32,
    cluster_size: u32,
    headers: u32,
    headers_size: u32,
    body: u32,
    body_size: u32,
    trailers: u32,
    trailers_size: u32,
    timeout: i32,
    out: u32,
) -> Result<u32> {
    run(guest, "proxy_http_call", |call| {
        let cluster = call.text("cluster", cluster, cluster_size)?;
        let mut message = Message {
            headers: map(call.bytes("headers", headers, headers_size)?),
            body: call.bytes("body", body, body_size)?,
            trailers: map(call.bytes("trailers", trailers, trailers_size)?),
        };
        call.number("timeout", timeout);
        call.write_u32(out, 0)?;
        let timeout = u64::try_from(timeout).map_err(|_| Status::BadArgument)?;
        let timeout = (timeout > 0).then(|| Duration::from_millis(timeout));
        if !message.body.is_empty() {
            message.headers.replace("content-length", message.body.len().to_string());
        }
        let token = send(call, CalloutRequest { cluster, message, timeout })?;
        call.number("gives", token);
        call.write_u32(out, token)
    })
}

fn map(bytes: Vec<u8>) -> HeaderMap {
    pairs::decode(&bytes).into_iter().collect()
}

fn send(call: &mut Call<'_>, request: CalloutRequest) -> std::result::Result<u32, Status> {
    let (vm, timeout) = (call.vm(), request.timeout);
    let (cluster, message) = (request.cluster.clone(), request.message.clone());
    let held = request.clone();
    let answer = {
        let mut simulation = call.simulation();
        let known = simulation.clusters.get_mut(&cluster).ok_or(Status::BadArgument)?;
        for required in [":method", ":path", ":authority"] {
            message.headers.get(required).ok_or(Status::BadArgument)?;
        }
        known.answer(request)
    };
    let state = call.state();
    let token = state.next_http_token;
    state.next_http_token += 4;
    if answer == Answer::NoHealthyUpstream {
        return Err(Status::InternalFailure);
    }
    let (root, owner) = state.subject_root().ok_or(Status::BadArgument)?;
    owner.callouts.insert(token, PendingCallout);
    if answer == Answer::Never {
        call.simulation().held.push(HeldCallout { vm, root, token, request: held });
    }
    call.write_down(TranscriptEvent::CalloutSent { token, cluster, message });
    if let Some((delay, response)) = answer.outcome(timeout) {
        let event = Event::Callout { root, token, response: response.map(Box::new) };
        call.simulation().schedule(delay, vm, event);
    }
    Ok(token)
}
