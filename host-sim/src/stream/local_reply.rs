//! A reply that comes from the filter or from Envoy itself, and not from an upstream.

use crate::headers::HeaderMap;
use crate::message::{Direction, Message};

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
    pub(crate) fn message(&self, request: &HeaderMap) -> Message {
        let mut headers = HeaderMap::from([(":status", self.status.to_string().as_str())]);
        // Whatever they say of the status, it is the one of the reply.
        for (name, value) in self.headers.iter().filter(|(name, _)| name != ":status") {
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
            let code = self.grpc_status.unwrap_or_else(|| grpc_status_of(self.status));
            headers.add("grpc-status", code.to_string());
        }
        if !self.body.is_empty() {
            headers.replace("grpc-message", self.body.clone());
        }
        Message { headers, ..Message::default() }
    }
}

/// Envoy's `Grpc::Utility::httpToGrpcStatus`.
pub(crate) fn grpc_status_of(status: u16) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}
