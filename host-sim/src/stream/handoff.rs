//! What one filter of a chain leaves for another.

use super::id::{Ending, StreamId};
use super::local_reply::LocalReply;
use crate::headers::HeaderMap;
use crate::message::Direction;

/// Where in its chain a filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub number: usize,
    pub last: bool,
}

/// What a filter has left for another one of its stream, or for all of them.
#[derive(Debug)]
pub(crate) struct Handoff {
    pub stream: StreamId,
    /// For whom.
    pub link: usize,
    pub what: Handed,
}

#[derive(Debug)]
pub(crate) enum Handed {
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
        ending: Ending,
    },
}

// === impl Link ===

impl Link {
    /// The only one.
    pub const ALONE: Self = Self { number: 0, last: true };

    pub fn is_alone(self) -> bool {
        self == Self::ALONE
    }

    /// Who comes behind it; nobody where the message leaves the chain.
    pub fn next(self, direction: Direction) -> Option<usize> {
        match direction {
            Direction::Request => (!self.last).then_some(self.number + 1),
            Direction::Response => self.number.checked_sub(1),
        }
    }
}
