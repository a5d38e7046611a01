//! The foundation of every part of custody: names, times, files, TLS, and calls to other services.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing),
    deny(clippy::print_stdout)
)]

pub mod actor;
pub mod batch;
pub mod clock;
pub mod credential;
pub mod files;
pub mod names;
pub mod outbound;
pub mod snapshot;
pub mod tls;
pub mod under_way;
