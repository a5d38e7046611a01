//! Streams: an HTTP exchange or a TCP connection on its way through the filter.
//!
//! An HTTP stream has two halves. What arrives on a half is shown to the filter piece by piece; what the
//! filter lets go passes on, to the upstream or back to the guest.

mod chain_message;
mod connection;
mod half_stream;
mod http;
mod id;
mod local_reply;

pub(crate) use chain_message::{ChainMessage, ChainPayload, ChainPosition};
pub(crate) use connection::Connection;
pub use connection::{ConnectionView, Peer};
pub(crate) use half_stream::{HalfStream, IterationState};
pub(crate) use http::HttpStream;
pub(crate) use id::StreamEnd;
pub use id::StreamId;
pub use local_reply::LocalReply;
pub(crate) use local_reply::{BODY_LIMIT, grpc_status_of};
