//! The custody service: the only part that touches long-lived secrets.
//!
//! It trusts nobody: it verifies the Session JWT itself, matches grants of its own, and writes a
//! durable audit record, all before it touches a credential (invariant 5).
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing),
    // It panics where nobody reads: see cli::out.
    deny(clippy::print_stdout)
)]

pub mod admin;
pub mod api;
pub mod bulk_revocation;
pub mod cli;
pub mod config;
pub mod failures;
pub mod feed;
pub mod grants;
pub mod hardening;
pub mod housekeeping;
pub mod http;
pub mod init;
pub mod keys;
pub mod leasing;
pub mod limits;
pub mod metrics;
pub mod notify;
pub mod openapi;
pub mod server;
pub mod vault;
pub mod workers;
