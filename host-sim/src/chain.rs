//! Several filters on one stream.
//!
//! Each filter of a chain has legs of its own, in its own VM. What one lets go is handed to the next, to
//! the last the request and to the first the response. Envoy does that in nested calls; here it is a
//! queue, what came up last done first, because no VM can reach into another.

use crate::headers::HeaderMap;
use crate::host::{Host, Place};
use crate::message::{Direction, Piece};
use crate::stream::{Ending, Handed, Handoff, HttpStream, LocalReply, StreamId};
use crate::transcript::What;
use crate::vm::Vm;
use std::collections::VecDeque;

// === impl Host ===

impl Host {
    /// Does what filters have left for each other, until there is nothing.
    pub(crate) fn hand_over(&mut self) {
        let mut waiting = VecDeque::new();
        loop {
            let mut new = std::mem::take(&mut self.world.borrow_mut().handoffs);
            while let Some(handoff) = new.pop() {
                waiting.push_front(handoff);
            }
            let Some(next) = waiting.pop_front() else { return };
            self.perform(next);
        }
    }

    fn perform(&mut self, Handoff { stream, link, what }: Handoff) {
        let what = match what {
            Handed::Reply { reply, direct } => return self.reply(stream, link, reply, direct),
            Handed::End { ending } => return self.end(stream, ending),
            what => what,
        };
        let Some((vm, context)) = self.link(stream, link) else { return };
        match what {
            Handed::Headers { direction, headers, end } => {
                vm.receive(context, direction, headers, end);
            }
            Handed::Body { direction, bytes, end } => {
                vm.arrive(context, direction, Piece::Body { bytes, end });
            }
            Handed::Trailers { direction, trailers } => {
                if let Some(stream) = vm.http(context) {
                    stream.leg(direction).trailers = trailers;
                }
                vm.arrive(context, direction, Piece::Trailers);
            }
            Handed::Pump { direction } => vm.pump(context, direction),
            Handed::Reply { .. } | Handed::End { .. } => {}
        }
    }

    /// A local reply of one filter goes back through all that know of the stream, from the last of
    /// them; once there is a response, past all of them.
    fn reply(&mut self, stream: StreamId, link: usize, reply: LocalReply, direct: bool) {
        let (mut last, mut begun) = (link, direct);
        for number in 0..self.links(stream) {
            let Some((vm, context)) = self.link(stream, number) else { return };
            let Some(own) = vm.http(context) else { return };
            if number == 0 && own.response.passed.is_some() {
                return vm.close(context);
            }
            begun |= !own.response.headers.is_empty();
            last = if own.created { number } else { last };
            own.is_answered_with(&reply);
        }
        let target = if begun { 0 } else { last };
        let Some((vm, context)) = self.link(stream, target) else { return };
        vm.begin_reply(context, reply);
        if begun {
            vm.pass_unseen(context);
        } else {
            vm.pump(context, Direction::Response);
        }
    }

    /// Every filter logs, and then every filter is done: first to last.
    fn end(&mut self, stream: StreamId, ending: Ending) {
        let links = self.links(stream);
        let maps = self.final_headers(stream);
        for number in 0..links {
            let Some((vm, context)) = self.link(stream, number) else { return };
            let Some(own) = vm.http(context) else { return };
            (own.request.headers, own.response.headers) = maps.clone();
            if number == 0 {
                vm.write(What::StreamEnded { stream });
            }
            vm.log_stream(context, ending);
        }
        for number in 0..links {
            if let Some((vm, context)) = self.link(stream, number) {
                vm.delete_stream(context);
            }
        }
    }

    /// The headers as `on_log` shows them to every filter: as the last who had them left them.
    fn final_headers(&mut self, stream: StreamId) -> (HeaderMap, HeaderMap) {
        let mut maps = (HeaderMap::new(), HeaderMap::new());
        for number in 0..self.links(stream) {
            let Some((vm, context)) = self.link(stream, number) else { continue };
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

    fn link(&mut self, stream: StreamId, number: usize) -> Option<(&mut Vm, u32)> {
        let Place { group, worker, context } = *self.streams.get(&stream)?.get(number)?;
        self.vm(group, worker).map(|vm| (vm, context))
    }
}
