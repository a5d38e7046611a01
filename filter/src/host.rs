//! The host calls, each checked.
//!
//! The SDK's own wrappers panic on a status they do not expect, and a panic fails the VM. These
//! return the status instead, so that the caller can deny one request and go on. The input of a
//! guest is bytes here, never a `String`.
//!
//! Shapes and statuses: proxy-wasm ABI 0.2.1.
#![allow(unsafe_code)]

use crate::pairs::{decode_pairs, encode_pairs};
use abi::types::{BufferType, LogLevel, MapType, MetricType, StreamType};
use edge::headers::Headers;
use std::ptr::{null, null_mut};
use std::time::Duration;

/// A host call that did not return `Ok`; the number is the ABI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed(pub u32);

// === impl Failed ===

impl Failed {
    /// Also the host's status for a cluster that it does not have.
    pub const BAD_ARGUMENT: Self = Self(2);
    pub const INTERNAL: Self = Self(10);
}

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const PARSE_FAILURE: u32 = 4;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: LogLevel, message: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: BufferType,
        start: usize,
        max_size: usize,
        bytes: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: MapType, bytes: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        bytes: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: MapType, name: *const u8, name_size: usize) -> u32;
    fn proxy_replace_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: MapType,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        bytes: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_continue_stream(stream: StreamType) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_milliseconds: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_define_metric(
        metric: MetricType,
        name: *const u8,
        name_size: usize,
        id: *mut u32,
    ) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        bytes: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
}

fn checked(status: u32) -> Result<(), Failed> {
    if status == OK { Ok(()) } else { Err(Failed(status)) }
}

/// Runs a call that returns a buffer. `None` where the host has no such thing.
fn received(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>, Failed> {
    let (mut bytes, mut size) = (null_mut(), 0);
    let status = call(&mut bytes, &mut size);
    if status == NOT_FOUND {
        return Ok(None);
    }
    checked(status)?;
    if bytes.is_null() {
        return Ok(Some(Vec::new()));
    }
    // SAFETY: the host asked our allocator (`proxy_on_memory_allocate`) for exactly `size` bytes,
    // filled them, and gave them up with this return.
    Ok(Some(unsafe { Vec::from_raw_parts(bytes, size, size) }))
}

/// At most `max_size` bytes from the beginning of a buffer.
pub fn buffer(buffer: BufferType, max_size: usize) -> Result<Option<Vec<u8>>, Failed> {
    buffer_from(buffer, 0, max_size)
}

/// At most `max_size` bytes of a buffer, after its first `start` bytes.
pub fn buffer_from(
    buffer: BufferType,
    start: usize,
    max_size: usize,
) -> Result<Option<Vec<u8>>, Failed> {
    // SAFETY: both pointers are to locals of `received`, which outlive the call.
    received(|bytes, size| unsafe { proxy_get_buffer_bytes(buffer, start, max_size, bytes, size) })
}

/// All headers of a map, names lower-case.
pub fn headers(map: MapType) -> Result<Headers, Failed> {
    // SAFETY: as in `buffer`.
    let bytes = received(|bytes, size| unsafe { proxy_get_header_map_pairs(map, bytes, size) })?;
    decode_pairs(bytes.unwrap_or_default()).ok_or(Failed(PARSE_FAILURE))
}

/// The first value of a header.
pub fn header(map: MapType, name: &str) -> Result<Option<Vec<u8>>, Failed> {
    // SAFETY: as in `buffer`; `name` is only read.
    received(|bytes, size| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), bytes, size)
    })
}

/// Every value of a name.
pub fn remove(map: MapType, name: &[u8]) -> Result<(), Failed> {
    // SAFETY: `name` is only read.
    checked(unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) })
}

pub fn set_request_header(name: &str, value: &[u8]) -> Result<(), Failed> {
    let map = MapType::HttpRequestHeaders;
    // SAFETY: name and value are only read.
    checked(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// One more value of a name.
pub fn add(map: MapType, name: &str, value: &[u8]) -> Result<(), Failed> {
    // SAFETY: name and value are only read.
    checked(unsafe {
        proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// An attribute of Envoy, such as `connection\0requested_server_name`; `None` where it has none.
pub fn property(path: &str) -> Result<Option<Vec<u8>>, Failed> {
    // SAFETY: as in `buffer`; `path` is only read.
    received(|bytes, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), bytes, size) })
}

/// Filter state `wasm.<path>`.
pub fn set_property(path: &str, value: &str) -> Result<(), Failed> {
    // SAFETY: path and value are only read.
    checked(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

pub fn resume_request() -> Result<(), Failed> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_continue_stream(StreamType::HttpRequest) })
}

/// Sends a request to one of Envoy's clusters; the token comes back with the answer.
pub fn http_call(
    cluster: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    timeout: Duration,
) -> Result<u32, Failed> {
    let (headers, trailers) = (encode_pairs(headers), encode_pairs(&[]));
    let mut token = 0;
    // SAFETY: everything is only read, but for `token`, a local.
    checked(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            milliseconds(timeout),
            &mut token,
        )
    })?;
    Ok(token)
}

/// Until this callback returns, host calls are about `context`.
pub fn set_effective_context(context: u32) -> Result<(), Failed> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_effective_context(context) })
}

/// Of the root whose callback this is.
pub fn set_tick_period(period: Duration) -> Result<(), Failed> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_set_tick_period_milliseconds(milliseconds(period)) })
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// `details` becomes Envoy's `%RESPONSE_CODE_DETAILS%`.
pub fn send_local_response(
    status: u16,
    details: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<(), Failed> {
    const NOT_GRPC: i32 = -1;
    let headers = encode_pairs(headers);
    // SAFETY: everything is only read.
    checked(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            if body.is_empty() { null() } else { body.as_ptr() },
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NOT_GRPC,
        )
    })
}

pub fn define_metric(kind: MetricType, name: &str) -> Result<u32, Failed> {
    let mut id = 0;
    // SAFETY: `name` is only read, `id` is a local.
    checked(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) })?;
    Ok(id)
}

pub fn increment(counter: u32) -> Result<(), Failed> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_increment_metric(counter, 1) })
}

/// Sets a gauge.
pub fn record(gauge: u32, value: u64) -> Result<(), Failed> {
    // SAFETY: no pointers.
    checked(unsafe { proxy_record_metric(gauge, value) })
}

/// A function of this very host, beyond the ABI; `None` where it has none of that name.
pub fn foreign(name: &str, argument: &[u8]) -> Result<Option<Vec<u8>>, Failed> {
    // SAFETY: as in `buffer`; name and argument are only read.
    received(|bytes, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            argument.as_ptr(),
            argument.len(),
            bytes,
            size,
        )
    })
}

// === the log ===

struct HostLog;

static LOG: HostLog = HostLog;

/// Sends the `log` crate's records, and where a panic would have happened, to the host.
pub fn log_to_host(level: log::LevelFilter) {
    // Fails only if there is a logger already; then that one serves.
    let _ = log::set_logger(&LOG);
    log::set_max_level(level);
    // The place and not the message, which could hold a value.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        write_log(LogLevel::Critical, &format!("leasehold: panicked at {place}"));
    }));
}

// === impl HostLog ===

impl log::Log for HostLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => LogLevel::Error,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Info => LogLevel::Info,
            log::Level::Debug => LogLevel::Debug,
            log::Level::Trace => LogLevel::Trace,
        };
        write_log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

fn write_log(level: LogLevel, message: &str) {
    // SAFETY: the message is only read. A log line that fails has nowhere to be reported.
    let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}
