//! Keeping up with custody: what is revoked, and which sessions are in use.

mod feed;
mod poll;
mod report;
mod revoked;

pub use feed::Feed;
pub use poll::Poll;
pub use report::Report;
