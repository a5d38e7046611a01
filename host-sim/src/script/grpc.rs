//! gRPC callouts.

use crate::headers::HeaderMap;
use std::time::Duration;

/// What the guest sent with `proxy_grpc_call` or opened with `proxy_grpc_stream`.
#[derive(Clone, Debug)]
pub struct GrpcRequest {
    pub cluster: String,
    pub service: String,
    pub method: String,
    pub metadata: HeaderMap,
    /// Empty when a stream is opened.
    pub message: Vec<u8>,
}

/// What a gRPC service answers. For a unary call the one message is all the guest sees of a success.
#[derive(Clone, Debug, Default)]
pub struct GrpcAnswer {
    pub initial_metadata: HeaderMap,
    pub messages: Vec<Vec<u8>>,
    pub trailing_metadata: HeaderMap,
    /// gRPC status code; 0 is OK.
    pub status: u32,
    pub status_message: String,
    pub delay: Duration,
}

/// One thing that a gRPC service does, as the guest hears of it.
#[derive(Clone, Debug)]
pub(crate) enum GrpcEvent {
    InitialMetadata(HeaderMap),
    Message(Vec<u8>),
    TrailingMetadata(HeaderMap),
    Close { status: u32, message: String },
}

// === impl GrpcAnswer ===

impl GrpcAnswer {
    pub fn message(bytes: impl Into<Vec<u8>>) -> Self {
        Self { messages: vec![bytes.into()], ..Self::default() }
    }

    pub fn failure(status: u32, message: &str) -> Self {
        Self { status, status_message: message.to_owned(), ..Self::default() }
    }

    /// A unary call sees its message, or how it failed.
    pub(crate) fn unary(self) -> Vec<GrpcEvent> {
        match (self.status, self.messages.into_iter().next()) {
            (0, Some(message)) => vec![GrpcEvent::Message(message)],
            (status, _) => vec![GrpcEvent::Close { status, message: self.status_message }],
        }
    }

    pub(crate) fn streamed(self) -> Vec<GrpcEvent> {
        let mut events = vec![GrpcEvent::InitialMetadata(self.initial_metadata)];
        events.extend(self.messages.into_iter().map(GrpcEvent::Message));
        events.push(GrpcEvent::TrailingMetadata(self.trailing_metadata));
        events.push(GrpcEvent::Close { status: self.status, message: self.status_message });
        events
    }
}
