//! Header maps: of requests, responses, and answers to callouts.

use super::call::{Call, CallResult, ENV, GuestCaller, OutPointer, run};
use crate::headers::HeaderMap;
use crate::message::Direction;
use crate::module::AbiVersion;
use crate::pairs;
use crate::status::Status;
use crate::strict::Violation;
use crate::transcript::TranscriptEvent;
use crate::vm::VmState;
use wasmtime::{Linker, Result};

/// `MapType` of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Map {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    ResponseTrailers,
    GrpcInitialMetadata,
    GrpcTrailingMetadata,
    CalloutHeaders,
    CalloutTrailers,
}

pub(super) fn register(linker: &mut Linker<VmState>, version: AbiVersion) -> Result<()> {
    linker.func_wrap(ENV, "proxy_get_header_map_pairs", pairs_of)?;
    linker.func_wrap(ENV, "proxy_get_header_map_size", size_of)?;
    if version == AbiVersion::V0_1_0 {
        linker.func_wrap(ENV, "proxy_get_header_map_value", value_or_nothing_of)?;
    } else {
        linker.func_wrap(ENV, "proxy_get_header_map_value", value_of)?;
    }
    linker.func_wrap(ENV, "proxy_set_header_map_pairs", set_pairs)?;
    linker.func_wrap(ENV, "proxy_add_header_map_value", add)?;
    linker.func_wrap(ENV, "proxy_replace_header_map_value", replace)?;
    linker.func_wrap(ENV, "proxy_remove_header_map_value", remove)?;
    Ok(())
}

/// Where the map is not there, an empty list.
fn pairs_of(guest: GuestCaller<'_>, map: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_get_header_map_pairs", |call| {
        let map = kind(call, map)?;
        let bytes = readable(call, map).map(pairs::encode).unwrap_or_default();
        note_access(call, map);
        call.give(&bytes, OutPointer { address, size })
    })
}

/// In bytes.
fn size_of(guest: GuestCaller<'_>, map: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_get_header_map_size", |call| {
        let map = kind(call, map)?;
        let bytes = readable(call, map).map(HeaderMap::byte_size);
        let bytes = bytes.ok_or_else(|| unavailable(call, map))?;
        call.write_u32(size, u32::try_from(bytes).unwrap_or(u32::MAX))
    })
}

/// The first value only.
fn value_of(
    guest: GuestCaller<'_>,
    map: u32,
    name: u32,
    name_size: u32,
    address: u32,
    size: u32,
) -> Result<u32> {
    run(guest, "proxy_get_header_map_value", |call| {
        let value = first_value(call, map, name, name_size)?;
        call.give(&value, OutPointer { address, size })
    })
}

/// ABI 0.1.0: a header that is absent is an empty one.
fn value_or_nothing_of(
    guest: GuestCaller<'_>,
    map: u32,
    name: u32,
    name_size: u32,
    address: u32,
    size: u32,
) -> Result<u32> {
    run(guest, "proxy_get_header_map_value", |call| {
        let value = match first_value(call, map, name, name_size) {
            Err(Status::NotFound) => Vec::new(),
            value => value?,
        };
        call.give(&value, OutPointer { address, size })
    })
}

fn first_value(
    call: &mut Call<'_>,
    map: u32,
    name: u32,
    name_size: u32,
) -> std::result::Result<Vec<u8>, Status> {
    let map = kind(call, map)?;
    let name = named(map, call.text("name", name, name_size)?);
    let found = readable(call, map).map(|map| map.get(&name).map(<[u8]>::to_vec));
    found.ok_or_else(|| unavailable(call, map))?.ok_or(Status::NotFound)
}

/// A malformed list is an empty one: all headers are gone, and the status is Ok.
fn set_pairs(guest: GuestCaller<'_>, map: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_set_header_map_pairs", |call| {
        let map = kind(call, map)?;
        let list = pairs::decode(&call.bytes("pairs", address, size)?);
        let list = list.into_iter().map(|(name, value)| (named(map, name), value));
        change(call, map, |headers| *headers = list.collect())
    })
}

fn add(
    guest: GuestCaller<'_>,
    map: u32,
    name: u32,
    size: u32,
    value: u32,
    length: u32,
) -> Result<u32> {
    run(guest, "proxy_add_header_map_value", |call| {
        let map = kind(call, map)?;
        let name = named(map, call.text("name", name, size)?);
        let value = call.bytes("value", value, length)?;
        change(call, map, |headers| headers.add(&name, value))
    })
}

fn replace(
    guest: GuestCaller<'_>,
    map: u32,
    name: u32,
    size: u32,
    value: u32,
    length: u32,
) -> Result<u32> {
    run(guest, "proxy_replace_header_map_value", |call| {
        let map = kind(call, map)?;
        let name = named(map, call.text("name", name, size)?);
        let value = call.bytes("value", value, length)?;
        change(call, map, |headers| headers.replace(&name, value))
    })
}

fn remove(guest: GuestCaller<'_>, map: u32, name: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_remove_header_map_value", |call| {
        let map = kind(call, map)?;
        let name = named(map, call.text("name", name, size)?);
        change(call, map, |headers| headers.remove(&name))
    })
}

fn kind(call: &mut Call<'_>, code: u32) -> std::result::Result<Map, Status> {
    call.number("map", code);
    Map::from_code(code).ok_or(Status::BadArgument)
}

/// In a request, `host` is another name of `:authority`.
fn named(map: Map, name: String) -> String {
    let host = map == Map::RequestHeaders && name.eq_ignore_ascii_case("host");
    if host { ":authority".to_owned() } else { name }
}

/// The map as the guest may read it now.
fn readable<'a>(call: &'a mut Call<'_>, map: Map) -> Option<&'a HeaderMap> {
    let state = call.state();
    if let Some((direction, trailers)) = map.of_stream() {
        let subject = state.subject();
        let stream = state.http_mut(subject)?;
        let logging = stream.logging;
        let half = stream.half(direction);
        return match trailers {
            false => (logging || half.visible.headers).then_some(&half.headers),
            true => (logging || half.visible.trailers).then_some(&half.trailers),
        };
    }
    let (_, root) = state.subject_root()?;
    match map {
        Map::GrpcInitialMetadata => root.grpc_metadata.as_ref(),
        Map::GrpcTrailingMetadata => root.grpc_trailing.as_ref(),
        Map::CalloutHeaders => root.response.as_deref().map(|response| &response.headers),
        _ => root.response.as_deref().map(|response| &response.trailers),
    }
}

/// Only the maps of a stream can be changed, and not while it is being logged.
fn change(call: &mut Call<'_>, map: Map, edit: impl FnOnce(&mut HeaderMap)) -> CallResult {
    let state = call.state();
    let subject = state.subject();
    let mut edit = Some(edit);
    if let Some((direction, trailers)) = map.of_stream()
        && let Some(stream) = state.http_mut(subject)
    {
        let half = stream.half(direction);
        let headers = match trailers {
            false if half.visible.headers => Some(&mut half.headers),
            true if half.visible.trailers => Some(&mut half.trailers),
            _ => None,
        };
        if let (Some(headers), Some(edit)) = (headers, edit.take()) {
            edit(headers);
            stream.route_cache_clears += u32::from(map == Map::RequestHeaders);
            return Ok(());
        }
    }
    note_access(call, map);
    Err(Status::BadArgument)
}

fn unavailable(call: &mut Call<'_>, map: Map) -> Status {
    note_access(call, map);
    let state = call.state();
    let subject = state.subject();
    match state.http_mut(subject) {
        Some(stream) if stream.logging => Status::NotFound,
        _ => Status::BadArgument,
    }
}

/// A request's map that has been there and is gone.
fn note_access(call: &mut Call<'_>, map: Map) {
    let function = call.function;
    let Some((Direction::Request, trailers)) = map.of_stream() else { return };
    let state = call.state();
    let subject = state.subject();
    let Some(stream) = state.http_mut(subject) else { return };
    let visible = stream.request.visible;
    // Trailers may come when the headers are long gone.
    let there = if trailers { visible.trailers } else { visible.headers };
    let gone = !stream.logging && !there;
    if gone && (stream.request.passed.is_some() || stream.reply.is_some()) {
        let violation = Violation::AccessAfterResume { stream: stream.id, function };
        call.write_down(TranscriptEvent::Violation(violation));
    }
}

// === impl Map ===

impl Map {
    const ALL: [Self; 8] = [
        Self::RequestHeaders,
        Self::RequestTrailers,
        Self::ResponseHeaders,
        Self::ResponseTrailers,
        Self::GrpcInitialMetadata,
        Self::GrpcTrailingMetadata,
        Self::CalloutHeaders,
        Self::CalloutTrailers,
    ];

    fn from_code(code: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }

    /// Which half it belongs to, and whether it is the trailers.
    fn of_stream(self) -> Option<(Direction, bool)> {
        match self {
            Self::RequestHeaders => Some((Direction::Request, false)),
            Self::RequestTrailers => Some((Direction::Request, true)),
            Self::ResponseHeaders => Some((Direction::Response, false)),
            Self::ResponseTrailers => Some((Direction::Response, true)),
            _ => None,
        }
    }
}
