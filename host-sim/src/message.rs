//! Requests and responses, whole and piece by piece.

use crate::headers::HeaderMap;
use std::collections::VecDeque;
use std::fmt;

/// A request or a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// With the pseudo headers.
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Request,
    Response,
}

/// What arrives on a half of a stream, in its order.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Headers { end: bool },
    Body { bytes: Vec<u8>, end: bool },
    Trailers,
}

// === impl Message ===

impl Message {
    pub(crate) fn pieces(&self) -> VecDeque<Piece> {
        let (body, trailers) = (!self.body.is_empty(), !self.trailers.is_empty());
        let mut pieces = VecDeque::from([Piece::Headers { end: !body && !trailers }]);
        if body {
            pieces.push_back(Piece::Body { bytes: self.body.clone(), end: !trailers });
        }
        if trailers {
            pieces.push_back(Piece::Trailers);
        }
        pieces
    }

    /// As its receiver reads it over HTTP/1.1: what is longer than `content-length` says is cut.
    pub(crate) fn framed(mut self) -> Self {
        let length = self.headers.text("content-length").and_then(|text| text.parse().ok());
        self.body.truncate(length.unwrap_or(usize::MAX));
        self
    }

    /// `:status` as a number; 0 where there is none.
    pub fn status(&self) -> u16 {
        self.headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    pub fn body_text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

// === impl Direction ===

impl Direction {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
