//! The proxy-wasm adapter: Envoy's events in, the edge's verdicts out.
//!
//! Everything that decides lives in `edge`. The rest is small enough to read in one sitting:
//!
//! - [`exports`] and [`host`]: the ABI, from Envoy to us and from us to Envoy. The only files that touch
//!   memory the host shares with us;
//! - [`pairs`]: the ABI's lists of headers;
//! - [`dispatch`]: every context of the VM, and which of them an event is for;
//! - [`callouts`]: the callouts in flight, and who waits for each;
//! - [`root`]: one plugin configuration;
//! - [`clock`]: what time it is;
//! - [`waiting`]: the held streams;
//! - [`streams`]: all of them, and whose body is late;
//! - [`stream`]: one request;
//! - [`facts`]: the host's facts about a request;
//! - [`flow`]: what becomes of a request after a callback;
//! - [`headers`]: changes of headers;
//! - [`metrics`]: a counter a decision;
//! - [`signatures`]: checked by the host.
//!
//! The module never panics: a trap fails the whole VM, and with it every request of its worker.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

// The SDK's types and its entry point, not its code. Its dispatcher panics where a host call of its
// own fails or an answer's context is gone, and it exports every callback there is, so that Envoy
// would enter the VM for each chunk of each response. Unlinked, it leaves both to us.
#[no_link]
extern crate proxy_wasm as abi;

mod callouts;
mod clock;
mod dispatch;
mod exports;
mod facts;
mod flow;
mod headers;
mod host;
mod metrics;
mod pairs;
mod reply;
mod root;
mod signatures;
mod stream;
mod streams;
mod waiting;

abi::main! {{
    // Only logging, clocks and random bytes are allowed in here: everything else waits for
    // on_configure.
    host::log_to_host(log::LevelFilter::Info);
}}
