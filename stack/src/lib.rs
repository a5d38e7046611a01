//! Launches the whole stack on loopback.

pub mod envoy;
