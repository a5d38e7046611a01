//! The next step after an event of a request, and the answer of its callback to Envoy.

use edge::exchange::Wait;

/// The answers of the request callbacks, by the numbers that Envoy has for them (`FilterHeadersStatus`,
/// `FilterDataStatus` and `FilterTrailersStatus` of proxy-wasm-cpp-host).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Flow {
    Continue = 0,
    /// Nothing goes on, and what follows is shown still; a body is kept by Envoy, up to its limit. Of
    /// headers only where `allow_on_headers_stop_iteration` is true; else it is `Stop`.
    StopIteration = 1,
    /// Nothing goes on, and nothing more is shown until the request is resumed; a body pushes back.
    /// Headers alone can be stopped so.
    Stop = 4,
    /// A piece of a body is dropped, and more is read.
    Discard = 3,
}

/// The next step after an event.
pub enum Step {
    Forward,
    /// Its body is wanted.
    Read,
    /// Its body is dropped.
    Discard,
    /// Nothing more to do: it waits for an answer, or is over.
    Hold,
    /// It waits for a fetch.
    Wait(Wait),
    /// Refused, and [to be sent again](crate::stream::Stream::retry_reply).
    ReplyPending,
}

// === impl Step ===

impl Step {
    /// The answer to Envoy for a piece of a body, and, but for [`Self::Discard`], for headers.
    pub fn flow(&self) -> Flow {
        match self {
            Self::Forward => Flow::Continue,
            Self::Read => Flow::StopIteration,
            Self::Discard => Flow::Discard,
            Self::Hold | Self::Wait(_) | Self::ReplyPending => Flow::Stop,
        }
    }
}
