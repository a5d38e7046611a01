//! Answers that arrive: of upstreams, of callouts, of timers and queues.

use crate::events::Event;
use crate::message::{Direction, Piece};
use crate::script::{CalloutResponse, GrpcEvent, Upstream};
use crate::stream::{HalfStream, LocalReply};
use crate::transcript::TranscriptEvent;
use crate::vm::Vm;
use std::time::Duration;

// === impl Vm ===

impl Vm {
    pub fn happen(&mut self, event: Event) {
        match event {
            Event::Upstream { context } => self.upstream_answers(context),
            Event::UpstreamBody { context, bytes, end } => {
                self.arrive(context, Direction::Response, Piece::Body { bytes, end });
            }
            Event::Callout { root, token, response } => self.callout_ends(root, token, response),
            Event::Grpc { root, token, event } => self.grpc_event(root, token, event),
            Event::Tick { root, generation } => self.tick(root, generation),
            Event::Queue { root, token } => {
                self.call(root, "proxy_on_queue_ready", |c| c.queue_ready.clone(), (root, token));
            }
        }
    }

    fn upstream_answers(&mut self, context: u32) {
        let Some(stream) = self.http(context) else { return };
        match stream.upstream.clone() {
            Upstream::Answers { message, more, .. } => {
                let begins =
                    if more.is_empty() { HalfStream::arriving } else { HalfStream::beginning };
                stream.response = begins(message);
                let number = self.number();
                let count = more.len();
                for (n, bytes) in more.into_iter().enumerate() {
                    let event = Event::UpstreamBody { context, bytes, end: n + 1 == count };
                    self.simulation().schedule(Duration::ZERO, number, event);
                }
                self.pump(context, Direction::Response);
            }
            Upstream::Resets { .. } => self.local_reply(context, LocalReply::upstream_reset()),
            Upstream::Silent => {}
        }
    }

    fn callout_ends(&mut self, root: u32, token: u32, response: Option<Box<CalloutResponse>>) {
        let Some(owner) = self.store.data_mut().root_mut(root) else { return };
        if owner.callouts.remove(&token).is_none() {
            return;
        }
        let status = response.as_deref().map_or(0, CalloutResponse::status);
        let sizes = response.as_deref().map_or((0, 0, 0), |response| {
            (response.headers.len(), response.body.len(), response.trailers.len())
        });
        if response.is_none() {
            owner.status = (0, "reset".to_owned());
        }
        owner.response = response;
        self.write(TranscriptEvent::CalloutEnded { token, status });
        let args = (root, token, number(sizes.0), number(sizes.1), number(sizes.2));
        let name = "proxy_on_http_call_response";
        self.call(root, name, |c| c.http_call_response.clone(), args);
        if let Some(owner) = self.store.data_mut().root_mut(root) {
            owner.response = None;
        }
    }

    fn grpc_event(&mut self, root: u32, token: u32, event: GrpcEvent) {
        let Some(owner) = self.store.data_mut().root_mut(root) else { return };
        let Some(pending) = owner.grpc.get(&token) else { return };
        let unary = !pending.is_stream;
        match event {
            GrpcEvent::InitialMetadata(map) => {
                let args = (root, token, number(map.len()));
                owner.grpc_metadata = Some(map);
                let name = "proxy_on_grpc_receive_initial_metadata";
                self.call(root, name, |c| c.grpc_initial_metadata.clone(), args);
            }
            GrpcEvent::Message(bytes) => {
                let args = (root, token, number(bytes.len()));
                owner.grpc_message = Some(bytes);
                self.call(root, "proxy_on_grpc_receive", |c| c.grpc_receive.clone(), args);
                if unary && let Some(owner) = self.store.data_mut().root_mut(root) {
                    owner.grpc.remove(&token);
                }
            }
            GrpcEvent::TrailingMetadata(map) => {
                let args = (root, token, number(map.len()));
                owner.grpc_trailing = Some(map);
                let name = "proxy_on_grpc_receive_trailing_metadata";
                self.call(root, name, |c| c.grpc_trailing_metadata.clone(), args);
            }
            GrpcEvent::Close { status, message } => {
                owner.status = (status, message);
                let args = (root, token, status);
                self.call(root, "proxy_on_grpc_close", |c| c.grpc_close.clone(), args);
                if let Some(owner) = self.store.data_mut().root_mut(root) {
                    owner.grpc.remove(&token);
                }
            }
        }
        if let Some(owner) = self.store.data_mut().root_mut(root) {
            (owner.grpc_metadata, owner.grpc_trailing, owner.grpc_message) = (None, None, None);
        }
    }

    /// The timer is one-shot; it is armed again when the callback is over.
    fn tick(&mut self, root: u32, generation: u64) {
        let current = |vm: &mut Self| {
            let owner = vm.store.data_mut().root_mut(root)?;
            (owner.tick_generation == generation).then_some(owner.tick_period)?
        };
        if current(self).is_none() {
            return;
        }
        self.call(root, "proxy_on_tick", |c| c.tick.clone(), (root,));
        if self.failed.is_none()
            && let Some(period) = current(self)
        {
            let vm = self.number();
            self.simulation().schedule(period, vm, Event::Tick { root, generation });
        }
    }
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
