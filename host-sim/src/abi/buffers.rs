//! Buffers: bodies, connection bytes, configurations, answers to callouts.

use super::call::{Call, ENV, GuestCaller, OutPointer, run};
use crate::module::AbiVersion;
use crate::status::Status;
use crate::vm::{ContextKind, VmState};
use std::borrow::Cow;
use wasmtime::{Linker, Result};

/// `BufferType` of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Buffer {
    RequestBody,
    ResponseBody,
    DownstreamData,
    UpstreamData,
    CalloutBody,
    GrpcMessage,
    VmConfiguration,
    PluginConfiguration,
    CallData,
}

pub(super) fn register(linker: &mut Linker<VmState>, version: AbiVersion) -> Result<()> {
    if version == AbiVersion::V0_1_0 {
        linker.func_wrap(ENV, "proxy_get_configuration", configuration)?;
    }
    linker.func_wrap(ENV, "proxy_get_buffer_bytes", get)?;
    linker.func_wrap(ENV, "proxy_get_buffer_status", status)?;
    linker.func_wrap(ENV, "proxy_set_buffer_bytes", set)?;
    Ok(())
}

/// ABI 0.1.0: the plugin's configuration where it is to be had, and elsewhere the VM's.
fn configuration(guest: GuestCaller<'_>, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_get_configuration", |call| {
        let of_plugin = contents(call, Buffer::PluginConfiguration).map(Cow::into_owned);
        let bytes = of_plugin.unwrap_or_else(|| call.state().identity.vm_configuration.clone());
        call.give(&bytes, OutPointer { address, size })
    })
}

/// Past the end: Ok, and nothing is given.
fn get(
    guest: GuestCaller<'_>,
    buffer: u32,
    start: u32,
    length: u32,
    address: u32,
    size: u32,
) -> Result<u32> {
    run(guest, "proxy_get_buffer_bytes", |call| {
        let buffer = kind(call, buffer)?;
        call.number("start", start);
        call.number("length", length);
        let bytes = contents(call, buffer).ok_or(Status::NotFound)?.into_owned();
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
        let end = end.min(bytes.len());
        match bytes.get(start..end) {
            Some(slice) if !slice.is_empty() => call.give(slice, OutPointer { address, size }),
            _ => {
                call.write_u32(address, 0)?;
                call.write_u32(size, 0)
            }
        }
    })
}

fn status(guest: GuestCaller<'_>, buffer: u32, length: u32, flags: u32) -> Result<u32> {
    run(guest, "proxy_get_buffer_status", |call| {
        let buffer = kind(call, buffer)?;
        let bytes = contents(call, buffer).ok_or(Status::NotFound)?.len();
        call.write_u32(length, u32::try_from(bytes).unwrap_or(u32::MAX))?;
        call.write_u32(flags, 0)
    })
}

/// `start` 0 and `length` 0 prepends, `start` 0 drains `length` bytes first, `start` at or behind
/// the end appends; anything else is refused. Nobody corrects `content-length`.
fn set(
    guest: GuestCaller<'_>,
    buffer: u32,
    start: u32,
    length: u32,
    address: u32,
    size: u32,
) -> Result<u32> {
    run(guest, "proxy_set_buffer_bytes", |call| {
        let buffer = kind(call, buffer)?;
        call.number("start", start);
        call.number("length", length);
        if contents(call, buffer).is_none() {
            return Err(Status::NotFound);
        }
        let bytes = call.bytes("bytes", address, size)?;
        let target = writable(call.state(), buffer).ok_or(Status::BadArgument)?;
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(target.len());
        if start == 0 {
            target.splice(..length, bytes);
        } else if start >= target.len() {
            target.extend(bytes);
        } else {
            return Err(Status::BadArgument);
        }
        Ok(())
    })
}

fn kind(call: &mut Call<'_>, code: u32) -> std::result::Result<Buffer, Status> {
    call.number("buffer", code);
    let index = usize::try_from(code).map_err(|_| Status::BadArgument)?;
    Buffer::ALL.get(index).copied().ok_or(Status::BadArgument)
}

/// The buffer as the guest may read it now. A body, bytes of a connection, or a gRPC message that is
/// not there is an empty one that nobody can write to.
fn contents<'a>(call: &'a mut Call<'_>, buffer: Buffer) -> Option<Cow<'a, [u8]>> {
    let state = call.state();
    match buffer {
        Buffer::RequestBody
        | Buffer::ResponseBody
        | Buffer::DownstreamData
        | Buffer::UpstreamData => {
            let bytes = writable(state, buffer).map(|bytes| Cow::Borrowed(bytes.as_slice()));
            Some(bytes.unwrap_or_default())
        }
        Buffer::CalloutBody => {
            let (_, root) = state.subject_root()?;
            Some(Cow::Borrowed(&root.response.as_deref()?.body))
        }
        Buffer::GrpcMessage => {
            let (_, root) = state.subject_root()?;
            Some(Cow::Borrowed(root.grpc_message.as_deref().unwrap_or_default()))
        }
        Buffer::VmConfiguration => Some(Cow::Borrowed(&state.identity.vm_configuration)),
        Buffer::PluginConfiguration => {
            let root = state.configuring?;
            let root = state.root_mut(root)?;
            Some(Cow::Owned(root.plugin.configuration.clone()))
        }
        Buffer::CallData => Some(Cow::Borrowed(&[])),
    }
}

fn writable(state: &mut VmState, buffer: Buffer) -> Option<&mut Vec<u8>> {
    let subject = state.subject();
    match (buffer, &mut state.contexts.get_mut(&subject)?.kind) {
        (Buffer::RequestBody, ContextKind::Http(stream)) => {
            stream.request.visible.body.then_some(&mut stream.request.body)
        }
        (Buffer::ResponseBody, ContextKind::Http(stream)) => {
            stream.response.visible.body.then_some(&mut stream.response.body)
        }
        (Buffer::DownstreamData, ContextKind::Connection(connection)) => {
            connection.downstream.visible.then_some(&mut connection.downstream.held)
        }
        (Buffer::UpstreamData, ContextKind::Connection(connection)) => {
            connection.upstream.visible.then_some(&mut connection.upstream.held)
        }
        _ => None,
    }
}

// === impl Buffer ===

impl Buffer {
    const ALL: [Self; 9] = [
        Self::RequestBody,
        Self::ResponseBody,
        Self::DownstreamData,
        Self::UpstreamData,
        Self::CalloutBody,
        Self::GrpcMessage,
        Self::VmConfiguration,
        Self::PluginConfiguration,
        Self::CallData,
    ];
}
