//! The whole of Leasehold on one machine, on loopback: custody, leaf-ca and Envoy as real
//! programs, a DNS server and an HTTPS origin beside them. For custody's own tests also the servers
//! it calls: [`openbao`] and [`postgres`].
//!
//! `cargo xtask up`, `cargo xtask demo` and every end-to-end test start the same stack. Each has
//! ports, files and keys of its own, so any number of them run at the same time.

pub mod altered;
pub mod authority;
mod background;
pub mod benchmarks;
mod builder;
pub mod built;
pub mod child;
pub mod claims;
pub mod client_packages;
pub mod clients;
pub mod custody;
pub mod dev_tools;
pub mod dns;
pub mod envoy;
pub mod fake_custody;
mod fetched;
mod fixtures;
mod folder;
pub mod guest;
pub mod guest_environment;
pub mod inside_addresses;
pub mod issuer;
pub mod leaf_ca;
pub mod module;
pub mod oidc_provider;
pub mod openbao;
pub mod origin;
pub mod policy;
mod port_slot;
pub mod ports;
pub mod postgres;
pub mod progress;
pub mod promtool;
mod random;
pub mod registry;
pub mod schemas;
pub mod sessions;
mod stack;
pub mod wrk;

pub use builder::StackBuilder;
pub use custody::Credential;
pub use fake_custody::Answer;
pub use folder::sweep;
pub use random::hex;
pub use stack::{Stack, Way};
