//! Sending replies that come from the filter or from Envoy itself, and not from an upstream.

use crate::message::{Direction, Piece};
use crate::stream::{Ending, Handed, HttpStream, Leg, LocalReply};
use crate::transcript::What;
use crate::vm::Vm;

// === impl Vm ===

impl Vm {
    /// Sends a reply back through the filter, whose own `on_response_headers` sees it.
    pub fn local_reply(&mut self, context: u32, reply: LocalReply) {
        let Some(stream) = self.http(context) else { return };
        // A response the filter itself holds is replaced without asking it again.
        let direct = stream.response.visible.headers || stream.response.is_held();
        if !stream.link.is_alone() {
            let (id, link) = (stream.id, stream.link.number);
            return self.leave(id, link, Handed::Reply { reply, direct });
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
        if !stream.link.is_alone() {
            let (id, link) = (stream.id, stream.link.number);
            return self.leave(id, link, Handed::Reply { reply, direct: false });
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
        stream.response = Leg::arriving(message);
        let stream = stream.id;
        self.write(What::LocalReply { stream, reply });
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
        self.write(What::Passed { stream, direction });
        self.end_stream(context, Ending::Complete);
    }
}
