//! What one filter of a chain leaves for another.

use super::id::{StreamEnd, StreamId};
use super::local_reply::LocalReply;
use crate::headers::HeaderMap;
use crate::message::Direction;

/// Where in its chain a filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainPosition {
    pub number: usize,
    pub last: bool,
}

/// What a filter has left for another one of its stream, or for all of them.
#[derive(Debug)]
pub(crate) struct ChainMessage {
    pub stream: StreamId,
    /// For whom.
    pub position: usize,
    pub what: ChainPayload,
}

#[derive(Debug)]
pub(crate) enum ChainPayload {
    Headers {
        direction: Direction,
        headers: HeaderMap,
        end: bool,
    },
    Body {
        direction: Direction,
        bytes: Vec<u8>,
        end: bool,
    },
    Trailers {
        direction: Direction,
        trailers: HeaderMap,
    },
    /// To itself: go on, when the others have what you let go.
    Pump {
        direction: Direction,
    },
    Reply {
        reply: LocalReply,
        /// No filter is to see it.
        direct: bool,
    },
    End {
        stream_end: StreamEnd,
    },
}

// === impl ChainPosition ===

impl ChainPosition {
    /// The only one.
    pub const ONLY: Self = Self { number: 0, last: true };

    pub fn is_only(self) -> bool {
        self == Self::ONLY
    }

    /// Who comes behind it; nobody where the message leaves the chain.
    pub fn next(self, direction: Direction) -> Option<usize> {
        match direction {
            Direction::Request => (!self.last).then_some(self.number + 1),
            Direction::Response => self.number.checked_sub(1),
        }
    }
}
