//! The whole of Leasehold on one machine, on loopback: custody, leaf-ca and Envoy as real
//! programs, a DNS server and an HTTPS origin beside them.
//!
//! `cargo xtask up`, `cargo xtask demo` and every end-to-end test start the same stack. Each has
//! ports, files and keys of its own, so any number of them run at the same time.

pub mod authority;
pub mod built;
pub mod child;
pub mod dns;
pub mod envoy;
pub mod fake_custody;
pub mod origin;
pub mod policy;
pub mod ports;
pub mod progress;
mod random;
pub mod sessions;
