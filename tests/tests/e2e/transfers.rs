//! Long and large things: what a proxy that collects a message before it passes it on would break.

mod bulk;
mod events;
mod h2_guest;
mod waiting;
pub mod websocket;
