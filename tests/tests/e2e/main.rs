//! End-to-end tests on real Envoy, real custody and real TLS, all on loopback. One binary, because
//! linking is slow; a module a subject.
//!
//! Needs what `cargo xtask test` builds first: custody, leaf-ca, session-jwt and the filter.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod allowances;
mod canary;
mod clients;
mod custody_faults;
mod destinations;
mod feed;
mod folding;
mod git;
mod inside_addresses;
mod istio;
mod links;
mod mixing;
mod monitoring;
mod mutations;
mod oidc_issuer;
mod operations;
mod refusals;
mod reload;
mod renewal;
mod retry;
mod safety_net;
mod session_binding;
mod statistics;
mod topology;
mod transfers;
mod wide;
