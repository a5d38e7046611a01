//! What became of a request, and sentences to assert about it.

use crate::message::Message;
use crate::properties::Properties;
use crate::stream::{HalfStream, HttpStream, LocalReply, StreamEnd};
use std::fmt;

/// A request's story so far.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What reached the upstream, if anything did.
    pub upstream: Option<Message>,
    /// All of it did, to the last byte.
    pub upstream_complete: bool,
    /// What the guest received.
    pub received: Option<Message>,
    /// The filter's, or Envoy's, own reply.
    pub reply: Option<LocalReply>,
    /// The stream was cut off.
    pub reset: bool,
    /// The filter holds the request or the response.
    pub held: bool,
    pub properties: Properties,
    /// How often the route was forgotten.
    pub route_cache_clears: u32,
}

/// An outcome in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request reached the upstream.
    Forwarded,
    /// The filter answered it.
    Replied { status: u16 },
    /// It was cut off before it reached the upstream.
    Reset,
    /// The filter holds it.
    Held,
}

// === impl Outcome ===

impl Outcome {
    /// Of every filter of the stream, in their order; of none, where the VM was replaced under it.
    pub(crate) fn of<'a>(links: impl Iterator<Item = &'a HttpStream>) -> Self {
        let links: Vec<_> = links.collect();
        let (first, last) = (links.first(), links.last());
        let over = links.iter().any(|stream| stream.stream_end.is_some());
        let held = |half: &HalfStream| half.is_held() && !half.complete;
        let properties = first.map(|stream| stream.properties.borrow().clone());
        Self {
            upstream: last.and_then(|stream| stream.request.passed.clone()).map(Message::framed),
            upstream_complete: last.is_some_and(|stream| stream.request.complete),
            received: first.and_then(|stream| stream.response.passed.clone()).map(Message::framed),
            reply: links.iter().find_map(|stream| stream.reply.clone()),
            reset: links.iter().any(|stream| stream.stream_end == Some(StreamEnd::Reset)),
            held: !over
                && links.iter().any(|stream| held(&stream.request) || held(&stream.response)),
            properties: properties.unwrap_or_default(),
            route_cache_clears: links.iter().map(|stream| stream.route_cache_clears).sum(),
        }
    }

    pub fn verdict(&self) -> Verdict {
        match (&self.upstream, &self.reply) {
            (Some(_), _) => Verdict::Forwarded,
            (None, Some(reply)) => Verdict::Replied { status: reply.status },
            (None, None) if self.reset => Verdict::Reset,
            (None, None) => Verdict::Held,
        }
    }

    /// A header of the request as it reached the upstream.
    pub fn upstream_header(&self, name: &str) -> Option<String> {
        self.upstream.as_ref()?.headers.text(name)
    }

    /// A header of what the guest received.
    pub fn received_header(&self, name: &str) -> Option<String> {
        self.received.as_ref()?.headers.text(name)
    }

    /// # Panics
    /// The request did not reach the upstream.
    #[track_caller]
    pub fn assert_forwarded(&self) -> &Self {
        assert!(self.verdict() == Verdict::Forwarded, "expected to be forwarded, but {self}");
        self
    }

    /// # Panics
    /// Anything else happened, or the request reached the upstream as well.
    #[track_caller]
    pub fn assert_replied(&self, status: u16) -> &Self {
        let as_expected = self.verdict() == Verdict::Replied { status };
        assert!(as_expected, "expected a local reply {status}, but {self}");
        self
    }

    /// # Panics
    /// The filter does not hold it.
    #[track_caller]
    pub fn assert_held(&self) -> &Self {
        assert!(self.held, "expected to be held, but {self}");
        self
    }

    /// # Panics
    /// The upstream saw this header with another value, or not at all.
    #[track_caller]
    pub fn assert_upstream_header(&self, name: &str, value: &str) -> &Self {
        let found = self.upstream_header(name);
        let as_expected = found.as_deref() == Some(value);
        assert!(as_expected, "expected upstream header {name}: {value}, found {found:?}; {self}");
        self
    }

    /// # Panics
    /// The upstream saw this header.
    #[track_caller]
    pub fn assert_no_upstream_header(&self, name: &str) -> &Self {
        let found = self.upstream_header(name);
        assert!(found.is_none(), "expected no upstream header {name}, found {found:?}; {self}");
        self
    }

    /// # Panics
    /// The guest received this header with another value, or not at all.
    #[track_caller]
    pub fn assert_received_header(&self, name: &str, value: &str) -> &Self {
        let found = self.received_header(name);
        let as_expected = found.as_deref() == Some(value);
        assert!(as_expected, "expected the guest to get {name}: {value}, found {found:?}; {self}");
        self
    }
}

impl fmt::Display for Outcome {
    /// A sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict() {
            Verdict::Forwarded => {
                let message = self.upstream.as_ref();
                let text = |name| message.and_then(|m| m.headers.text(name)).unwrap_or_default();
                let (authority, path) = (text(":authority"), text(":path"));
                write!(f, "the upstream {authority} got {} {path}", text(":method"))
            }
            Verdict::Replied { status } => {
                let details = self.reply.as_ref().map_or("", |reply| &reply.details);
                write!(f, "it was answered {status} ({details})")
            }
            Verdict::Reset => f.write_str("the stream was reset"),
            Verdict::Held => f.write_str("the filter holds the request"),
        }
    }
}
