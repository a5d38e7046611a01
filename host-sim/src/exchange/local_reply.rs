//! Replies that come from the filter or from Envoy itself, and not from an upstream.

use super::{Direction, Ending, HttpStream, Leg, Message};
use crate::chain::Handed;
use crate::headers::HeaderMap;
use crate::transcript::What;
use crate::vm::Vm;

/// What was ordered with `proxy_send_local_response`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReply {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: String,
    /// `None`: derived from the HTTP status where the request is gRPC.
    pub grpc_status: Option<u32>,
}

/// Envoy's `per_connection_buffer_limit_bytes` by default.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

// === impl LocalReply ===

impl LocalReply {
    fn own(status: u16, details: &str, body: &str) -> Self {
        let (details, body) = (details.to_owned(), body.as_bytes().to_vec());
        Self { status, headers: Vec::new(), body, details, grpc_status: None }
    }

    pub(crate) fn vm_failed() -> Self {
        Self { grpc_status: Some(14), ..Self::own(503, "wasm_fail_stream", "") }
    }

    pub(crate) fn too_large(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::own(413, "request_payload_too_large", "Payload Too Large"),
            Direction::Response => {
                Self::own(500, "response_payload_too_large", "Internal Server Error")
            }
        }
    }

    pub(crate) fn upstream_reset() -> Self {
        let body = "upstream connect error or disconnect/reset before headers. \
                    reset reason: connection termination";
        Self::own(503, "upstream_reset_before_response_started{connection_termination}", body)
    }

    pub(crate) fn missing(header: &str) -> Self {
        Self::own(503, &format!("filter_removed_required_request_headers{{{header}}}"), "")
    }

    /// As Envoy writes it: length and type of the body are its own, a gRPC client gets trailers only.
    fn message(&self, request: &HeaderMap) -> Message {
        let mut headers = HeaderMap::from([(":status", self.status.to_string().as_str())]);
        for (name, value) in &self.headers {
            headers.add(name, value.clone());
        }
        let content_type = request.text("content-type").unwrap_or_default();
        if content_type.starts_with("application/grpc") {
            return self.for_grpc(headers);
        }
        let mut body = self.body.clone();
        if body.is_empty() {
            headers.remove("content-length");
            headers.remove("content-type");
        } else {
            headers.replace("content-length", body.len().to_string());
            if headers.get("content-type").is_none() {
                headers.add("content-type", "text/plain");
            }
        }
        if request.get(":method") == Some(b"HEAD") {
            body.clear();
        }
        Message { headers, body, trailers: HeaderMap::new() }
    }

    fn for_grpc(&self, mut headers: HeaderMap) -> Message {
        headers.replace(":status", "200");
        headers.replace("content-type", "application/grpc");
        headers.remove("content-length");
        if headers.get("grpc-status").is_none() {
            let code = self.grpc_status.unwrap_or_else(|| grpc_of(self.status));
            headers.add("grpc-status", code.to_string());
        }
        if !self.body.is_empty() {
            headers.replace("grpc-message", self.body.clone());
        }
        Message { headers, ..Message::default() }
    }
}

/// Envoy's `Grpc::Utility::httpToGrpcStatus`.
fn grpc_of(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

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
                super::Piece::Body { bytes, .. } => response.body.extend(bytes),
                super::Piece::Trailers => response.shown_trailers = true,
                super::Piece::Headers { .. } => {}
            }
        }
        response.shown_end = true;
        response.pass();
        self.write(What::Passed { stream, direction });
        self.end_stream(context, Ending::Complete);
    }
}
