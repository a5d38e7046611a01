//! A real OpenBao for tests and demos: where its program comes from ([`binary`]), and a server of
//! one's own ([`server`]): TLS, sealed storage, an audit device; nothing of `-dev`. Its database
//! engine can be set to work on a PostgreSQL of ours ([`OpenBao::lease_users_of`]).
//!
//! All of it blocks: call it from a thread, or inside `spawn_blocking` in async code.

mod api;
pub mod binary;
mod database;
pub mod server;

pub use binary::BaoBinary;
pub use server::{OpenBao, RootToken, Storage};
