//! The upstream of an HTTP stream.

use crate::headers::HeaderMap;
use crate::message::Message;
use std::time::Duration;

/// How the upstream treats a request that has reached it whole.
#[derive(Clone, Debug)]
pub enum Upstream {
    Answers {
        message: Message,
        /// What of the body comes behind the message's own, piece by piece.
        more: Vec<Vec<u8>>,
        delay: Duration,
    },
    Resets {
        delay: Duration,
    },
    Silent,
}

// === impl Upstream ===

impl Upstream {
    pub fn answers(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut map = HeaderMap::from([(":status", status.to_string().as_str())]);
        map.add("content-length", body.len().to_string());
        for (name, value) in headers {
            map.add(name, *value);
        }
        let message = Message { headers: map, body, ..Message::default() };
        Self::Answers { message, more: Vec::new(), delay: Duration::ZERO }
    }

    /// A body in pieces, of which nobody says beforehand how long it will be.
    pub fn streams(
        status: u16,
        headers: &[(&str, &str)],
        pieces: impl IntoIterator<Item = impl Into<Vec<u8>>>,
    ) -> Self {
        let mut map = HeaderMap::from([(":status", status.to_string().as_str())]);
        headers.iter().for_each(|(name, value)| map.add(name, *value));
        let message = Message { headers: map, ..Message::default() };
        let more = pieces.into_iter().map(Into::into).collect();
        Self::Answers { message, more, delay: Duration::ZERO }
    }

    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        if let Self::Answers { delay, .. } | Self::Resets { delay } = &mut self {
            *delay = wait;
        }
        self
    }

    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Answers { delay, .. } | Self::Resets { delay } => Some(*delay),
            Self::Silent => None,
        }
    }
}

impl Default for Upstream {
    /// 200, no body, at once.
    fn default() -> Self {
        Self::answers(200, &[], "")
    }
}
