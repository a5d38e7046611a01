//! Everything that deals with Envoy itself: where its binary comes from ([`binary`]), what it is
//! told ([`settings`], which changes the shipped `envoy/*.yaml` and nothing else, so that what
//! the tests run is what people get), how it is run ([`running`]) and what can be asked of it
//! while it runs ([`admin`]).
//!
//! All of it blocks: call it from a thread, or inside `spawn_blocking` in async code.

pub mod admin;
pub mod binary;
mod dynamic;
pub mod error;
mod place;
mod render;
pub mod running;
mod secrets;
pub mod settings;

pub use admin::Admin;
pub use binary::EnvoyBinary;
pub use dynamic::ListenerFile;
pub use error::EnvoyError;
pub use running::{Envoy, Options};
pub use settings::{CustodyCluster, CustodyLink, EdgeSettings, LeafCaLink, MutualTls, Posture};
