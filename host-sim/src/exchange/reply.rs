//! Sending replies that come from the filter or from Envoy itself, and not from an upstream.

use crate::message::{Direction, Piece};
use crate::stream::{ChainPayload, HalfStream, HttpStream, LocalReply, StreamEnd};
use crate::transcript::TranscriptEvent;
use crate::vm::Vm;

// === impl Vm ===

impl Vm {
    /// Sends a reply back through the filter, whose own `on_response_headers` sees it.
    pub fn local_reply(&mut self, context: u32, reply: LocalReply) {
        let Some(stream) = self.http(context) else { return };
        // A response the filter itself holds is replaced without asking it again.
        let direct = stream.response.visible.headers || stream.response.is_held();
        if !stream.position.is_only() {
            let (id, position) = (stream.id, stream.position.number);
            return self.leave(id, position, ChainPayload::Reply { reply, direct });
        }
        if stream.response.passed.is_some() {
            return self.close(context);
        }
        self.begin_reply(context, reply);
        if direct {
            self.pass_unseen(context);
        } else {
            self.pump(context, Direction::Response);
        }
    }

    /// Sends a reply that this filter does not see.
    pub fn direct_reply(&mut self, context: u32, reply: LocalReply) {
        let Some(stream) = self.http(context) else { return };
        if !stream.position.is_only() {
            let (id, position) = (stream.id, stream.position.number);
            return self.leave(id, position, ChainPayload::Reply { reply, direct: false });
        }
        if stream.response.passed.is_some() {
            return self.close(context);
        }
        self.begin_reply(context, reply);
        self.pass_unseen(context);
    }

    pub fn begin_reply(&mut self, context: u32, reply: LocalReply) {
        let Some(stream) = self.http(context) else { return };
        let message = reply.message(&stream.request.headers);
        stream.is_answered_with(&reply);
        stream.response = HalfStream::arriving(message);
        let stream = stream.id;
        self.write(TranscriptEvent::LocalReply { stream, reply });
    }

    pub fn pass_unseen(&mut self, context: u32) {
        let Some(HttpStream { id, response, .. }) = self.http(context) else { return };
        let (stream, direction) = (*id, Direction::Response);
        while let Some(piece) = response.arriving.pop_front() {
            match piece {
                Piece::Body { bytes, .. } => response.body.extend(bytes),
                Piece::Trailers => response.shown_trailers = true,
                Piece::Headers { .. } => {}
            }
        }
        response.shown_end = true;
        response.pass();
        self.write(TranscriptEvent::Passed { stream, direction });
        self.end_stream(context, StreamEnd::Complete);
    }
}
