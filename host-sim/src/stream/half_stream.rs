//! One direction of an HTTP exchange.

use super::chain_message::ChainPayload;
use crate::headers::HeaderMap;
use crate::message::{Direction, Message, Piece};
use std::collections::VecDeque;

/// What the filter's last verdict keeps back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IterationState {
    #[default]
    Continue,
    /// `StopIteration`: what comes later is still shown to the filter.
    StopIteration,
    /// `StopAllIteration...`: nothing more is shown until somebody resumes.
    StopAll,
}

/// Which of the maps and buffers a host call can see at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Visible {
    pub headers: bool,
    pub body: bool,
    pub trailers: bool,
}

/// One direction of an HTTP stream: what is still to come, what the filter holds, what has passed.
#[derive(Debug, Default)]
pub(crate) struct HalfStream {
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    /// Body the filter has been shown and has not let go.
    pub body: Vec<u8>,
    /// Body before that, which the filter held without having it buffered for itself.
    pub set_aside: Vec<u8>,
    /// Bytes of body the filter has been shown.
    pub shown_body: usize,
    pub arriving: VecDeque<Piece>,
    pub iteration: IterationState,
    pub visible: Visible,
    /// Pieces up to these have been shown.
    pub shown_trailers: bool,
    /// The last piece has been shown.
    pub shown_end: bool,
    /// What went on.
    pub passed: Option<Message>,
    /// Its end went on, too.
    pub complete: bool,
    /// What of it the next filter has been handed.
    pub sent: Progress,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    headers: bool,
    /// Bytes of the body.
    body: usize,
    trailers: bool,
    end: bool,
}

// === impl HalfStream ===

impl HalfStream {
    pub fn arriving(message: Message) -> Self {
        Self {
            arriving: message.pieces(),
            headers: message.headers,
            trailers: message.trailers,
            ..Self::default()
        }
    }

    /// The same, with more to come.
    pub fn beginning(message: Message) -> Self {
        let mut half = Self::arriving(message);
        if let Some(Piece::Headers { end } | Piece::Body { end, .. }) = half.arriving.back_mut() {
            *end = false;
        }
        half
    }

    /// One more piece. What waits of a body is one, as in Envoy's buffer.
    pub fn arrive(&mut self, piece: Piece) {
        match (self.arriving.back_mut(), piece) {
            (Some(Piece::Body { bytes, end }), Piece::Body { bytes: more, end: last }) => {
                bytes.extend(more);
                *end = last;
            }
            (_, piece) => self.arriving.push_back(piece),
        }
    }

    /// The next piece the filter may be shown.
    pub fn next_piece(&mut self) -> Option<Piece> {
        if self.iteration == IterationState::StopAll { None } else { self.arriving.pop_front() }
    }

    /// Lets go of everything the filter has been shown. True if that is the first of it.
    pub fn pass(&mut self) -> bool {
        self.iteration = IterationState::Continue;
        let first = self.passed.is_none();
        let passed = self
            .passed
            .get_or_insert_with(|| Message { headers: self.headers.clone(), ..Message::default() });
        passed.body.append(&mut self.set_aside);
        passed.body.append(&mut self.body);
        if self.shown_trailers {
            passed.trailers = self.trailers.clone();
        }
        self.complete = self.shown_end;
        first
    }

    /// Its receiver waits for the rest of what `content-length` says: the filter has let go of less.
    pub fn is_cut_short(&self) -> bool {
        let length = self.headers.text("content-length").and_then(|text| text.parse().ok());
        let passed = self.passed.as_ref().map_or(0, |passed| passed.body.len());
        length.is_some_and(|length: usize| passed < length && length <= self.shown_body)
    }

    /// What has passed and has not been handed on.
    pub fn unsent(&mut self, direction: Direction) -> Vec<ChainPayload> {
        let Some(passed) = &self.passed else { return Vec::new() };
        let had = self.sent;
        let body = passed.body.get(had.body..).unwrap_or_default();
        let trailers = !passed.trailers.is_empty();
        self.sent =
            Progress { headers: true, body: passed.body.len(), trailers, end: self.complete };
        let mut messages = Vec::new();
        if !had.headers {
            let end = self.complete && body.is_empty() && !trailers;
            messages.push(ChainPayload::Headers {
                direction,
                headers: passed.headers.clone(),
                end,
            });
        }
        let ends_now = self.complete && !had.end && had.headers;
        if !body.is_empty() || ends_now && !trailers {
            let (bytes, end) = (body.to_vec(), self.complete && !trailers);
            messages.push(ChainPayload::Body { direction, bytes, end });
        }
        if trailers && !had.trailers {
            messages.push(ChainPayload::Trailers { direction, trailers: passed.trailers.clone() });
        }
        messages
    }

    /// Nothing more moves on this half.
    pub fn stop(&mut self) {
        self.arriving.clear();
        self.iteration = IterationState::StopAll;
        self.visible = Visible::default();
    }

    pub fn is_held(&self) -> bool {
        self.iteration != IterationState::Continue
    }
}
