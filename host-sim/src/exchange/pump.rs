//! Showing the pieces of a half to the filter and passing on what it lets go.

use crate::events::Event;
use crate::headers::HeaderMap;
use crate::message::{Direction, Piece};
use crate::stream::{
    BODY_LIMIT, ChainMessage, ChainPayload, HalfStream, IterationState, LocalReply, StreamEnd,
    StreamId,
};
use crate::strict::Violation;
use crate::transcript::TranscriptEvent;
use crate::vm::{CallbackResult, FailPolicy, Vm};

/// `FilterHeadersStatus`: the ones that hold something.
const STOP_ITERATION: u32 = 1;
const STOP_ALL_AND_BUFFER: u32 = 3;
const STOP_ALL_AND_WATERMARK: u32 = 4;
/// `FilterDataStatus`: what came is held, and not shown again.
const STOP_AND_WATERMARK: u32 = 2;
/// `FilterDataStatus`: nothing is kept of a chunk with this verdict.
const STOP_NO_BUFFER: u32 = 3;

// === impl Vm ===

impl Vm {
    /// Shows the filter what has arrived, as long as nothing holds it.
    pub fn pump(&mut self, context: u32, direction: Direction) {
        loop {
            let Some(stream) = self.http(context) else { return };
            let (id, position) = (stream.id, stream.position.number);
            // The next filter has what this one let go before this one is shown more.
            if !self.simulation().chain_messages.is_empty() {
                return self.leave(id, position, ChainPayload::Pump { direction });
            }
            let Some(piece) = self.http(context).and_then(|s| s.half(direction).next_piece())
            else {
                return;
            };
            match piece {
                Piece::Headers { end } => self.show_headers(context, direction, end),
                Piece::Body { bytes, end } => self.show_body(context, direction, bytes, end),
                Piece::Trailers => self.show_trailers(context, direction),
            }
        }
    }

    /// Leaves something for another filter of a chain.
    pub fn leave(&self, stream: StreamId, position: usize, what: ChainPayload) {
        self.simulation().chain_messages.push(ChainMessage { stream, position, what });
    }

    /// The guest hears of the stream, and then of what has arrived.
    pub fn begin(&mut self, context: u32) {
        if self.create(context) == CallbackResult::Failed {
            // The canary's configuration stands; only this VM is gone.
            let open = self.plugin_of(context).map(|plugin| plugin.fail_policy);
            if open != Some(FailPolicy::Open) {
                return self.direct_reply(context, LocalReply::vm_failed());
            }
        }
        self.pump(context, Direction::Request);
    }

    /// Tells the guest that there is a stream.
    pub fn create(&mut self, context: u32) -> CallbackResult<()> {
        if let Some(stream) = self.http(context) {
            stream.created = true;
        }
        let root = self.store.data().root_of(context);
        let name = "proxy_on_context_create";
        self.call(context, name, |c| c.context_create.clone(), (context, root))
    }

    /// Headers come from the filter before.
    pub fn receive(&mut self, context: u32, direction: Direction, headers: HeaderMap, end: bool) {
        let Some(stream) = self.http(context) else { return };
        if direction == Direction::Request && stream.is_decided() {
            return;
        }
        let half = stream.half(direction);
        half.headers = headers;
        half.arrive(Piece::Headers { end });
        match direction {
            Direction::Request => self.begin(context),
            // Envoy skips a filter that has not seen the request.
            Direction::Response => self.pump(context, direction),
        }
    }

    /// One more piece has come.
    pub fn arrive(&mut self, context: u32, direction: Direction, piece: Piece) {
        let Some(stream) = self.http(context) else { return };
        // Of a local reply only what comes from the filter behind is still of interest.
        let late = direction == Direction::Request || stream.position.last;
        if late && stream.is_decided() {
            return;
        }
        stream.half(direction).arrive(piece);
        self.pump(context, direction);
    }

    fn show_headers(&mut self, context: u32, direction: Direction, end: bool) {
        let Some(stream) = self.http(context) else { return };
        let half = stream.half(direction);
        (half.visible.headers, half.shown_end) = (true, end);
        let count = number(half.headers.len());
        let said = self.call_headers(context, direction, count, end);
        let allow = self.plugin_of(context).is_some_and(|plugin| plugin.allow_headers_stop);
        let answered = self.http(context).is_some_and(|stream| stream.reply.is_some());
        let iteration = match said {
            // Its reply to that is what comes by here.
            CallbackResult::Failed if answered => IterationState::Continue,
            CallbackResult::Failed => return self.fail_stream(context, direction),
            CallbackResult::Absent => IterationState::Continue,
            CallbackResult::Returned(verdict, stopped) => {
                iteration_after_headers(verdict, stopped, allow)
            }
        };
        let Some(stream) = self.http(context) else { return };
        if iteration != IterationState::Continue {
            stream.half(direction).iteration = iteration;
            return;
        }
        let (id, half) = (stream.id, stream.half(direction));
        half.visible.headers = false;
        if half.passed.is_some() {
            let violation = Violation::DoubleResume { stream: id, half: direction.name() };
            self.write(TranscriptEvent::Violation(violation));
        }
        self.pass(context, direction);
    }

    fn call_headers(
        &mut self,
        context: u32,
        direction: Direction,
        count: u32,
        end: bool,
    ) -> CallbackResult<u32> {
        let (name, old, new) = match direction {
            Direction::Request => (
                "proxy_on_request_headers",
                self.callbacks.request_headers_0_1.clone(),
                self.callbacks.request_headers.clone(),
            ),
            Direction::Response => (
                "proxy_on_response_headers",
                self.callbacks.response_headers_0_1.clone(),
                self.callbacks.response_headers.clone(),
            ),
        };
        match old {
            Some(_) => self.call(context, name, |_| old, (context, count)),
            None => self.call(context, name, |_| new, (context, count, u32::from(end))),
        }
    }

    fn show_body(&mut self, context: u32, direction: Direction, bytes: Vec<u8>, end: bool) {
        let Some(stream) = self.http(context) else { return };
        let half = stream.half(direction);
        half.shown_body += bytes.len();
        half.body.extend(bytes);
        (half.visible.body, half.shown_end) = (true, end);
        let args = (context, number(half.body.len()), u32::from(end));
        let said = match direction {
            Direction::Request => {
                self.call(context, "proxy_on_request_body", |c| c.request_body.clone(), args)
            }
            Direction::Response => {
                self.call(context, "proxy_on_response_body", |c| c.response_body.clone(), args)
            }
        };
        let verdict = match said {
            CallbackResult::Failed => return self.fail_stream(context, direction),
            CallbackResult::Absent => 0,
            CallbackResult::Returned(verdict, false) if verdict <= STOP_NO_BUFFER => verdict,
            CallbackResult::Returned(..) => STOP_NO_BUFFER,
        };
        let Some(stream) = self.http(context) else { return };
        let half = stream.half(direction);
        match verdict {
            0 => {
                half.visible.body = false;
                self.pass(context, direction);
            }
            STOP_NO_BUFFER => {
                half.body.clear();
                half.iteration = IterationState::StopIteration;
            }
            // The filter sees the next piece alone.
            STOP_AND_WATERMARK => {
                half.set_aside.append(&mut half.body);
                half.iteration = IterationState::StopIteration;
            }
            _ => {
                half.body.splice(..0, std::mem::take(&mut half.set_aside));
                half.iteration = IterationState::StopIteration;
                if half.body.len() > BODY_LIMIT {
                    self.local_reply(context, LocalReply::too_large(direction));
                }
            }
        }
    }

    fn show_trailers(&mut self, context: u32, direction: Direction) {
        let Some(stream) = self.http(context) else { return };
        let half = stream.half(direction);
        (half.visible.trailers, half.shown_trailers, half.shown_end) = (true, true, true);
        let args = (context, number(half.trailers.len()));
        let said = match direction {
            Direction::Request => self.call(
                context,
                "proxy_on_request_trailers",
                |c| c.request_trailers.clone(),
                args,
            ),
            Direction::Response => self.call(
                context,
                "proxy_on_response_trailers",
                |c| c.response_trailers.clone(),
                args,
            ),
        };
        let passes = match said {
            CallbackResult::Failed => return self.fail_stream(context, direction),
            CallbackResult::Absent | CallbackResult::Returned(0, false) => true,
            CallbackResult::Returned(..) => false,
        };
        let Some(stream) = self.http(context) else { return };
        let half = stream.half(direction);
        if passes {
            half.visible.trailers = false;
            self.pass(context, direction);
        } else {
            half.iteration = IterationState::StopIteration;
        }
    }

    /// `proxy_continue_stream`, now that the callback is over.
    pub fn resume_half(&mut self, context: u32, direction: Direction) {
        let Some(stream) = self.http(context) else { return };
        let (id, half) = (stream.id, stream.half(direction));
        if half.iteration == IterationState::Continue && half.passed.is_some() {
            let violation = Violation::DoubleResume { stream: id, half: direction.name() };
            return self.write(TranscriptEvent::Violation(violation));
        }
        self.pass(context, direction);
    }

    /// Lets go of what the filter has seen of a half.
    fn pass(&mut self, context: u32, direction: Direction) {
        let number = self.number();
        let Some(stream) = self.http(context) else { return };
        if direction == Direction::Request
            && stream.position.last
            && let Some(header) = missing_header(&stream.request)
        {
            return self.local_reply(context, LocalReply::missing(header));
        }
        let (id, position, half) = (stream.id, stream.position, stream.half(direction));
        let first = half.pass();
        if let Some(next) = position.next(direction) {
            let messages = half.unsent(direction);
            return messages.into_iter().for_each(|what| self.leave(id, next, what));
        }
        let (complete, is_cut_short) = (half.complete, half.is_cut_short());
        let mut asked = None;
        if direction == Direction::Request && complete && !stream.upstream_asked {
            stream.upstream_asked = true;
            asked = stream.upstream.delay().filter(|_| !is_cut_short);
        }
        if first {
            self.write(TranscriptEvent::Passed { stream: id, direction });
        }
        if let Some(delay) = asked {
            self.simulation().schedule(delay, number, Event::Upstream { context });
        }
        if direction == Direction::Response && complete {
            self.end_stream(context, StreamEnd::Complete);
        }
    }

    /// What Envoy does with a stream whose VM is gone.
    pub fn fail_stream(&mut self, context: u32, direction: Direction) {
        let policy = self.plugin_of(context).map(|plugin| plugin.fail_policy);
        match policy {
            Some(FailPolicy::Open) => {
                self.pass(context, direction);
                self.pump(context, direction);
            }
            _ => self.direct_reply(context, LocalReply::vm_failed()),
        }
    }
}

fn iteration_after_headers(verdict: u32, stopped: bool, allow_stop: bool) -> IterationState {
    match verdict {
        _ if stopped => IterationState::StopAll,
        STOP_ITERATION if allow_stop => IterationState::StopIteration,
        STOP_ITERATION | STOP_ALL_AND_BUFFER | STOP_ALL_AND_WATERMARK => IterationState::StopAll,
        _ if verdict > STOP_ALL_AND_WATERMARK => IterationState::StopAll,
        _ => IterationState::Continue,
    }
}

/// What the router refuses to go without.
fn missing_header(request: &HalfStream) -> Option<&'static str> {
    if request.passed.is_some() {
        return None;
    }
    let is_connect = request.headers.get(":method") == Some(b"CONNECT");
    let required = [":method", ":authority", ":path"].into_iter();
    let mut required = required.filter(|name| !(is_connect && *name == ":path"));
    required.find(|name| request.headers.get(name).is_none())
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
