//! The proxy-wasm adapter: Envoy's events in, the edge's verdicts out.
//!
//! Everything that decides lives in `edge`; everything that touches memory the host shares with us
//! lives in [`host`]. What is left is small enough to read in one sitting:
//!
//! - [`root`]: one configuration in one VM;
//! - [`stream`]: one request;
//! - [`metrics`]: a counter a decision.
//!
//! The module never panics: a trap fails the whole VM, and with it every request of its worker.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod host;
mod metrics;
mod root;
mod stream;

use root::Root;

proxy_wasm::main! {{
    // Only logging, clocks and random bytes are allowed in here: everything else waits for
    // on_configure.
    host::log_to_host(log::LevelFilter::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}
