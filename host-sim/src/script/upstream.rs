//! The upstream of an HTTP stream.

use crate::exchange::Message;
use crate::headers::HeaderMap;
use std::time::Duration;

/// How the upstream treats a request that has reached it whole.
#[derive(Clone, Debug)]
pub enum Upstream {
    Answers { message: Message, delay: Duration },
    Resets { delay: Duration },
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
        Self::Answers { message, delay: Duration::ZERO }
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
