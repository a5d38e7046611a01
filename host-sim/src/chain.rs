//! Several filters on one stream.
//!
//! Each filter of a chain has halves of its own, in its own VM. What one lets go is handed to the next, to
//! the last the request and to the first the response. Envoy does that in nested calls; here it is a
//! queue, what came up last done first, because no VM can reach into another.

use crate::headers::HeaderMap;
use crate::host::{FilterLocation, Host};
use crate::message::{Direction, Piece};
use crate::stream::{ChainMessage, ChainPayload, HttpStream, LocalReply, StreamEnd, StreamId};
use crate::transcript::TranscriptEvent;
use crate::vm::Vm;
use std::collections::VecDeque;

// === impl Host ===

impl Host {
    /// Does what filters have left for each other, until there is nothing.
    pub(crate) fn hand_over(&mut self) {
        let mut waiting = VecDeque::new();
        loop {
            let mut new = std::mem::take(&mut self.simulation.borrow_mut().chain_messages);
            while let Some(chain_message) = new.pop() {
                waiting.push_front(chain_message);
            }
            let Some(next) = waiting.pop_front() else { return };
            self.perform(next);
        }
    }

    fn perform(&mut self, ChainMessage { stream, position, what }: ChainMessage) {
        let what = match what {
            ChainPayload::Reply { reply, direct } => {
                return self.reply(stream, position, reply, direct);
            }
            ChainPayload::End { stream_end } => return self.end(stream, stream_end),
            what => what,
        };
        let Some((vm, context)) = self.position(stream, position) else { return };
        match what {
            ChainPayload::Headers { direction, headers, end } => {
                vm.receive(context, direction, headers, end);
            }
            ChainPayload::Body { direction, bytes, end } => {
                vm.arrive(context, direction, Piece::Body { bytes, end });
            }
            ChainPayload::Trailers { direction, trailers } => {
                if let Some(stream) = vm.http(context) {
                    stream.half(direction).trailers = trailers;
                }
                vm.arrive(context, direction, Piece::Trailers);
            }
            ChainPayload::Pump { direction } => vm.pump(context, direction),
            ChainPayload::Reply { .. } | ChainPayload::End { .. } => {}
        }
    }

    /// A local reply of one filter goes back through all that know of the stream, from the last of
    /// them; once there is a response, past all of them.
    fn reply(&mut self, stream: StreamId, position: usize, reply: LocalReply, direct: bool) {
        let (mut last, mut begun) = (position, direct);
        for number in 0..self.links(stream) {
            let Some((vm, context)) = self.position(stream, number) else { return };
            let Some(own) = vm.http(context) else { return };
            if number == 0 && own.response.passed.is_some() {
                return vm.close(context);
            }
            begun |= !own.response.headers.is_empty();
            last = if own.created { number } else { last };
            own.is_answered_with(&reply);
        }
        let target = if begun { 0 } else { last };
        let Some((vm, context)) = self.position(stream, target) else { return };
        vm.begin_reply(context, reply);
        if begun {
            vm.pass_unseen(context);
        } else {
            vm.pump(context, Direction::Response);
        }
    }

    /// Every filter logs, and then every filter is done: first to last.
    fn end(&mut self, stream: StreamId, stream_end: StreamEnd) {
        let links = self.links(stream);
        let maps = self.final_headers(stream);
        for number in 0..links {
            let Some((vm, context)) = self.position(stream, number) else { return };
            let Some(own) = vm.http(context) else { return };
            (own.request.headers, own.response.headers) = maps.clone();
            if number == 0 {
                vm.write(TranscriptEvent::StreamEnded { stream });
            }
            vm.log_stream(context, stream_end);
        }
        for number in 0..links {
            if let Some((vm, context)) = self.position(stream, number) {
                vm.delete_stream(context);
            }
        }
    }

    /// The headers as `on_log` shows them to every filter: as the last who had them left them.
    fn final_headers(&mut self, stream: StreamId) -> (HeaderMap, HeaderMap) {
        let mut maps = (HeaderMap::new(), HeaderMap::new());
        for number in 0..self.links(stream) {
            let Some((vm, context)) = self.position(stream, number) else { continue };
            let Some(HttpStream { request, response, .. }) = vm.http(context) else { continue };
            if !request.headers.is_empty() {
                maps.0.clone_from(&request.headers);
            }
            if maps.1.is_empty() {
                maps.1.clone_from(&response.headers);
            }
        }
        maps
    }

    fn links(&self, stream: StreamId) -> usize {
        self.streams.get(&stream).map_or(0, Vec::len)
    }

    fn position(&mut self, stream: StreamId, number: usize) -> Option<(&mut Vm, u32)> {
        let FilterLocation { group, worker, context } = *self.streams.get(&stream)?.get(number)?;
        self.vm(group, worker).map(|vm| (vm, context))
    }
}
