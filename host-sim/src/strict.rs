//! What a module should not do, though Envoy may let it.

use crate::stream::StreamId;
use thiserror::Error;

/// A mistake of the module that Envoy answers with silence, a hang or a crash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("{stream}: the {half} was resumed though nothing held it")]
    DoubleResume { stream: StreamId, half: &'static str },
    #[error("{stream}: the {half} was paused and nobody resumed it")]
    NeverResumed { stream: StreamId, half: &'static str },
    #[error("{stream}: {function} after the request was resumed, when its headers are gone")]
    AccessAfterResume { stream: StreamId, function: &'static str },
    #[error("{stream}: a second local reply ({status}) after the first")]
    SecondLocalReply { stream: StreamId, status: u16 },
    #[error("callout {token} of root context {root} never ended")]
    LeakedCallout { root: u32, token: u32 },
}
