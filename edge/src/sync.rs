//! Keeping up with custody: what is revoked, and which sessions are in use.

mod feed;
mod poll;
mod revoked;

pub use feed::Feed;
pub use poll::Poll;
