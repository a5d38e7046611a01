//! Mints, per SNI, the leaf certificates Envoy shows guests, and hands them to Envoy over SDS.
//!
//! Envoy pauses a guest's handshake and asks for a secret named like the SNI
//! (`envoy.tls.certificate_selectors.on_demand_secret`). [`sds`] answers: with a leaf that
//! [`minter`] signed with the key of [`authority`] if [`policy`] names that host, or while [`budget`] has
//! room for a name that the edge denies. Any other name is in `removed_resources`, which fails the
//! handshake. The key of the authority never leaves
//! this process; Envoy holds leaves of a few days only.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod authority;
pub mod budget;
pub mod hardening;
pub mod init;
pub mod leaf;
pub mod listen;
pub mod minter;
pub mod name;
pub mod policy;
pub mod sds;
pub mod serve;
pub mod subscriptions;
