//! An HTTP stream in a VM.

use super::chain_message::ChainPosition;
use super::half_stream::{HalfStream, Visible};
use super::id::{StreamEnd, StreamId};
use super::local_reply::LocalReply;
use crate::clock::Instant;
use crate::message::Direction;
use crate::properties::Properties;
use crate::script::Upstream;
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Debug)]
pub(crate) struct HttpStream {
    pub id: StreamId,
    pub began: Instant,
    pub position: ChainPosition,
    /// The guest has been told that it exists.
    pub created: bool,
    pub request: HalfStream,
    pub response: HalfStream,
    /// Of all filters of the chain.
    pub properties: Rc<RefCell<Properties>>,
    pub upstream: Upstream,
    /// `on_log` is running: maps are read-only, and all of them are there.
    pub logging: bool,
    /// A local reply is on its way; a second one is dropped.
    pub reply_ordered: bool,
    pub reply: Option<LocalReply>,
    /// The upstream has been scheduled to answer.
    pub upstream_asked: bool,
    pub stream_end: Option<StreamEnd>,
    pub route_cache_clears: u32,
}

// === impl HttpStream ===

impl HttpStream {
    pub fn new(
        id: StreamId,
        began: Instant,
        position: ChainPosition,
        request: HalfStream,
        upstream: Upstream,
        properties: Rc<RefCell<Properties>>,
    ) -> Self {
        Self {
            id,
            began,
            position,
            created: false,
            request,
            response: HalfStream::default(),
            properties,
            upstream,
            logging: false,
            reply_ordered: false,
            reply: None,
            upstream_asked: false,
            stream_end: None,
            route_cache_clears: 0,
        }
    }

    pub fn half(&mut self, direction: Direction) -> &mut HalfStream {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    /// The request goes no further.
    pub fn is_answered_with(&mut self, reply: &LocalReply) {
        self.request.stop();
        self.reply = Some(reply.clone());
    }

    /// No response has begun, and the stream goes on.
    pub fn awaits_response(&self) -> bool {
        self.response.headers.is_empty() && !self.is_decided()
    }

    /// Nothing that arrives can matter any more.
    pub fn is_decided(&self) -> bool {
        self.reply.is_some() || self.stream_end.is_some()
    }

    /// After a resume the request's maps and buffers are gone, for good.
    pub fn forget_request(&mut self) {
        self.request.visible = Visible::default();
    }
}
