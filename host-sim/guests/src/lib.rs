//! Filters as people write them with the Rust SDK, for the simulator to run: somebody's first module
//! looks like these, with the SDK's own wrappers, which panic where the host says something new.
//!
//! One module holds them all; the root id names the one that runs, the configuration its one setting,
//! and both may be absent:
//!
//! - [`headers`]: reads and writes header maps, answers one path itself;
//! - [`auth`]: asks a cluster whether a request may pass;
//! - [`counter`]: counts over all VMs in shared data, with metrics and a timer;
//! - [`bodies`]: collects bodies and rewrites them;
//! - [`signatures`]: judges signatures, by itself and by asking its host;
//! - [`witness`]: tells of every callback, for chains of filters.

mod auth;
mod bodies;
mod counter;
mod headers;
mod root;
mod signatures;
mod witness;

use proxy_wasm::types::LogLevel;
use root::Root;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Debug);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}
