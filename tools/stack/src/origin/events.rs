//! Server-sent events on command: the test decides when the origin says the next thing, so "event
//! by event" can be checked without a clock.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

/// Sends events to everybody who listens on `/sse/told`.
#[derive(Clone, Default)]
pub struct Events {
    listeners: Arc<Mutex<Vec<mpsc::UnboundedSender<String>>>>,
}

// === impl Events ===

impl Events {
    /// Sends `text` as one event; how many streams it went to. A stream is counted from the moment
    /// its response headers are on their way.
    pub fn send(&self, text: &str) -> usize {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.send(text.to_owned()).is_ok());
        listeners.len()
    }

    /// Ends every stream.
    pub fn end(&self) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<String> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }
}
