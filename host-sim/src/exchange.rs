//! Streams: an HTTP exchange or a TCP connection on its way through the filter.
//!
//! A stream has two legs. What arrives on a leg is shown to the filter piece by piece; what the
//! filter lets go passes on, to the upstream or back to the guest.

mod answers;
mod connection;
mod ending;
mod leg;
mod local_reply;
mod pump;
mod stream;

pub(crate) use connection::Connection;
pub use connection::{ConnectionView, Peer};
pub use leg::{Direction, Message};
pub(crate) use leg::{Hold, Leg, Piece};
pub(crate) use local_reply::BODY_LIMIT;
pub use local_reply::LocalReply;
pub use stream::StreamId;
pub(crate) use stream::{Ending, HttpStream};
