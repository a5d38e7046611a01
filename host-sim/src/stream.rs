//! Streams: an HTTP exchange or a TCP connection on its way through the filter.
//!
//! An HTTP stream has two legs. What arrives on a leg is shown to the filter piece by piece; what the
//! filter lets go passes on, to the upstream or back to the guest.

mod connection;
mod handoff;
mod http;
mod id;
mod leg;
mod local_reply;

pub(crate) use connection::Connection;
pub use connection::{ConnectionView, Peer};
pub(crate) use handoff::{Handed, Handoff, Link};
pub(crate) use http::HttpStream;
pub(crate) use id::Ending;
pub use id::StreamId;
pub(crate) use leg::{Hold, Leg};
pub(crate) use local_reply::BODY_LIMIT;
pub use local_reply::LocalReply;
