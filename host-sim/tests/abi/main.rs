//! The edges of the ABI, poked by guests of a few calls each.
//!
//! Each status here is one of Envoy's; the facts stand beside the host function that returns it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod buffers;
mod callouts;
mod chain;
mod connections;
mod contexts;
mod foreign;
mod guest;
mod headers;
mod lifecycle;
mod metrics;
mod properties;
mod queues;
mod shared_data;
mod streams;
mod timers;
mod wasi;
