//! The host functions of proxy-wasm ABI 0.1.0, 0.2.0 and 0.2.1, one file a family.
//!
//! Each reads its arguments from guest memory, checks, acts, and writes its results back. The
//! statuses are Envoy's.

mod buffers;
mod call;
mod cel;
mod contexts;
mod crypto;
mod foreign;
mod grpc;
mod headers;
mod http_call;
mod logs;
mod metrics;
mod properties;
mod queues;
mod shared_data;
mod streams;
mod timers;
mod wasi;
mod zlib;

use crate::module::AbiVersion;
use crate::vm::VmState;
use wasmtime::{Engine, Linker, Result};

/// Every function that Envoy has for a module of this version of the ABI.
///
/// # Errors
/// None that a module can cause: names are defined once.
pub(crate) fn linker(engine: &Engine, version: AbiVersion) -> Result<Linker<VmState>> {
    let mut linker = Linker::new(engine);
    buffers::register(&mut linker, version)?;
    contexts::register(&mut linker)?;
    foreign::register(&mut linker)?;
    grpc::register(&mut linker)?;
    headers::register(&mut linker, version)?;
    http_call::register(&mut linker)?;
    logs::register(&mut linker, version)?;
    metrics::register(&mut linker)?;
    properties::register(&mut linker)?;
    queues::register(&mut linker)?;
    shared_data::register(&mut linker)?;
    streams::register(&mut linker, version)?;
    timers::register(&mut linker)?;
    wasi::register(&mut linker)?;
    Ok(linker)
}
