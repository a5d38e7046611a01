//! How a stream ends: `on_log`, `on_done`, `on_delete`, in that order.

use crate::stream::{Ending, Handed};
use crate::transcript::What;
use crate::vm::{Kind, Vm};

// === impl Vm ===

impl Vm {
    /// Ends an HTTP stream; whatever the guest still orders for it comes too late.
    pub fn end_stream(&mut self, context: u32, ending: Ending) {
        let Some(stream) = self.http(context) else { return };
        if stream.ending.is_some() {
            return;
        }
        stream.ending = Some(ending);
        stream.request.stop();
        stream.response.stop();
        let id = stream.id;
        if !stream.link.is_alone() {
            return self.leave(id, 0, Handed::End { ending });
        }
        self.write(What::StreamEnded { stream: id });
        self.log_stream(context, ending);
        self.delete_stream(context);
    }

    /// `on_log`: of a stream that the guest has not heard of, too.
    pub fn log_stream(&mut self, context: u32, ending: Ending) {
        let Some(stream) = self.http(context) else { return };
        stream.ending = Some(ending);
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
        if let Some(Kind::Http(stream)) = removed.map(|context| context.kind) {
            self.world().ended.entry(stream.id).or_default().push(*stream);
        }
    }

    /// Cuts a stream or connection off.
    pub fn close(&mut self, context: u32) {
        if let Some(stream) = self.http(context) {
            let id = stream.id;
            if stream.ending.is_none() {
                self.write(What::StreamReset { stream: id });
                self.end_stream(context, Ending::Reset);
            }
            return;
        }
        self.close_connection(context);
    }
}
