//! How a stream ends: `on_log`, `on_done`, `on_delete`, in that order.

use crate::stream::{ChainPayload, StreamEnd};
use crate::transcript::TranscriptEvent;
use crate::vm::{ContextKind, Vm};

// === impl Vm ===

impl Vm {
    /// Ends an HTTP stream; whatever the guest still orders for it comes too late.
    pub fn end_stream(&mut self, context: u32, stream_end: StreamEnd) {
        let Some(stream) = self.http(context) else { return };
        if stream.stream_end.is_some() {
            return;
        }
        stream.stream_end = Some(stream_end);
        stream.request.stop();
        stream.response.stop();
        let id = stream.id;
        if !stream.position.is_only() {
            return self.leave(id, 0, ChainPayload::End { stream_end });
        }
        self.write(TranscriptEvent::StreamEnded { stream: id });
        self.log_stream(context, stream_end);
        self.delete_stream(context);
    }

    /// `on_log`: of a stream that the guest has not heard of, too.
    pub fn log_stream(&mut self, context: u32, stream_end: StreamEnd) {
        let Some(stream) = self.http(context) else { return };
        stream.stream_end = Some(stream_end);
        stream.request.stop();
        stream.response.stop();
        if !stream.created {
            self.create(context);
        }
        if let Some(stream) = self.http(context) {
            stream.logging = true;
        }
        self.call(context, "proxy_on_log", |c| c.log.clone(), (context,));
        if let Some(stream) = self.http(context) {
            stream.logging = false;
        }
    }

    /// The guest is done with it.
    pub fn delete_stream(&mut self, context: u32) {
        self.call(context, "proxy_on_done", |c| c.done.clone(), (context,));
        self.call(context, "proxy_on_delete", |c| c.delete.clone(), (context,));
        let removed = self.store.data_mut().contexts.remove(&context);
        if let Some(ContextKind::Http(stream)) = removed.map(|context| context.kind) {
            self.simulation().ended.entry(stream.id).or_default().push(*stream);
        }
    }

    /// Cuts a stream or connection off.
    pub fn close(&mut self, context: u32) {
        if let Some(stream) = self.http(context) {
            let id = stream.id;
            if stream.stream_end.is_none() {
                self.write(TranscriptEvent::StreamReset { stream: id });
                self.end_stream(context, StreamEnd::Reset);
            }
            return;
        }
        self.close_connection(context);
    }
}
