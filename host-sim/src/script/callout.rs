//! One HTTP callout: what the guest asked, and what it is answered.

use crate::headers::HeaderMap;
use crate::message::Message;
use std::time::Duration;

/// What the guest sent with `proxy_http_call`.
#[derive(Clone, Debug)]
pub struct CalloutRequest {
    pub cluster: String,
    pub message: Message,
    /// `None` waits for ever.
    pub timeout: Option<Duration>,
}

/// What comes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalloutResponse {
    /// With `:status`.
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
    /// Envoy's own, where no upstream has answered.
    pub is_local: bool,
}

/// Envoy's router writes into the answers of upstreams how many milliseconds they took.
const SERVICE_TIME: &str = "x-envoy-upstream-service-time";

/// How a callout ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Response {
        response: CalloutResponse,
        delay: Duration,
    },
    /// The stream is reset: the guest gets (0, 0, 0).
    Reset {
        delay: Duration,
    },
    /// Nothing comes; after the timeout Envoy makes it a 504, without one it never ends.
    Never,
    /// `proxy_http_call` itself fails with `InternalFailure`, and there is no callback.
    NoHealthyUpstream,
}

// === impl Answer ===

impl Answer {
    /// A response with a JSON body, at once.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::respond(status, &[("content-type", "application/json")], body)
    }

    pub fn respond(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let response = CalloutResponse::new(status, headers, body);
        Self::Response { response, delay: Duration::ZERO }
    }

    /// Envoy could not connect, which it reports as a response of its own.
    pub fn connect_failure() -> Self {
        let text = "upstream connect error or disconnect/reset before headers. \
                    reset reason: connection termination";
        let response = CalloutResponse::local(503, text);
        Self::Response { response, delay: Duration::ZERO }
    }

    pub const fn reset() -> Self {
        Self::Reset { delay: Duration::ZERO }
    }

    /// The same answer, later.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        if let Self::Response { delay, .. } | Self::Reset { delay } = &mut self {
            *delay = wait;
        }
        self
    }

    /// When the guest hears of it and what, with its timeout considered. `None`: never.
    pub(crate) fn outcome(
        self,
        timeout: Option<Duration>,
    ) -> Option<(Duration, Option<CalloutResponse>)> {
        let (delay, response) = match self {
            Self::Response { response, delay } => (delay, Some(response.timed(delay))),
            Self::Reset { delay } => (delay, None),
            Self::Never | Self::NoHealthyUpstream => (Duration::MAX, None),
        };
        match timeout {
            Some(timeout) if delay >= timeout => {
                Some((timeout, Some(CalloutResponse::local(504, "upstream request timeout"))))
            }
            None if delay == Duration::MAX => None,
            _ => Some((delay, response)),
        }
    }
}

// === impl CalloutResponse ===

impl CalloutResponse {
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut map = HeaderMap::from([(":status", status.to_string().as_str())]);
        map.add("content-length", body.len().to_string());
        for (name, value) in headers {
            map.add(name, *value);
        }
        Self { headers: map, body, ..Self::default() }
    }

    /// A local reply of Envoy's router inside the callout.
    fn local(status: u16, text: &str) -> Self {
        let response = Self::new(status, &[("content-type", "text/plain")], text);
        Self { is_local: true, ..response }
    }

    /// As it comes after this time.
    fn timed(mut self, delay: Duration) -> Self {
        if !self.is_local {
            self.headers.replace(SERVICE_TIME, delay.as_millis().to_string());
        }
        self
    }

    pub(crate) fn status(&self) -> u16 {
        self.headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}
