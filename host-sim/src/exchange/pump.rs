//! Showing a leg's pieces to the filter and passing on what it lets go.

use super::{BODY_LIMIT, Direction, Ending, Hold, Leg, LocalReply, Piece};
use crate::events::Event;
use crate::strict::Violation;
use crate::transcript::What;
use crate::vm::{Called, FailPolicy, Vm};

/// `FilterHeadersStatus`: the ones that hold something.
const STOP_ITERATION: u32 = 1;
const STOP_ALL_AND_BUFFER: u32 = 3;
const STOP_ALL_AND_WATERMARK: u32 = 4;
/// `FilterDataStatus`: nothing is kept of a chunk with this verdict.
const STOP_NO_BUFFER: u32 = 3;

// === impl Vm ===

impl Vm {
    /// Shows the filter what has arrived, as long as nothing holds it.
    pub fn pump(&mut self, context: u32, direction: Direction) {
        while let Some(piece) = self.http(context).and_then(|s| s.leg(direction).next_piece()) {
            match piece {
                Piece::Headers { end } => self.show_headers(context, direction, end),
                Piece::Body { bytes, end } => self.show_body(context, direction, bytes, end),
                Piece::Trailers => self.show_trailers(context, direction),
            }
        }
    }

    /// One more piece has come.
    pub fn arrive(&mut self, context: u32, direction: Direction, piece: Piece) {
        let Some(stream) = self.http(context).filter(|stream| !stream.is_decided()) else { return };
        stream.leg(direction).arrive(piece);
        self.pump(context, direction);
    }

    fn show_headers(&mut self, context: u32, direction: Direction, end: bool) {
        let Some(stream) = self.http(context) else { return };
        let leg = stream.leg(direction);
        (leg.visible.headers, leg.shown_end) = (true, end);
        let args = (context, number(leg.headers.len()), u32::from(end));
        let said = match direction {
            Direction::Request => {
                self.call(context, "proxy_on_request_headers", |c| c.request_headers.clone(), args)
            }
            Direction::Response => self.call(
                context,
                "proxy_on_response_headers",
                |c| c.response_headers.clone(),
                args,
            ),
        };
        let allow = self.plugin_of(context).is_some_and(|plugin| plugin.allow_headers_stop);
        let hold = match said {
            Called::Failed => return self.fail_stream(context, direction),
            Called::Absent => Hold::Nothing,
            Called::Returned(verdict, stopped) => headers_hold(verdict, stopped, allow),
        };
        let Some(stream) = self.http(context) else { return };
        if hold != Hold::Nothing {
            stream.leg(direction).hold = hold;
            return;
        }
        let (id, leg) = (stream.id, stream.leg(direction));
        leg.visible.headers = false;
        if leg.passed.is_some() {
            let violation = Violation::DoubleResume { stream: id, leg: direction.name() };
            self.write(What::Violation(violation));
        }
        self.pass(context, direction);
    }

    fn show_body(&mut self, context: u32, direction: Direction, bytes: Vec<u8>, end: bool) {
        let Some(stream) = self.http(context) else { return };
        let leg = stream.leg(direction);
        leg.body.extend(bytes);
        (leg.visible.body, leg.shown_end) = (true, end);
        let args = (context, number(leg.body.len()), u32::from(end));
        let said = match direction {
            Direction::Request => {
                self.call(context, "proxy_on_request_body", |c| c.request_body.clone(), args)
            }
            Direction::Response => {
                self.call(context, "proxy_on_response_body", |c| c.response_body.clone(), args)
            }
        };
        let verdict = match said {
            Called::Failed => return self.fail_stream(context, direction),
            Called::Absent => 0,
            Called::Returned(verdict, false) if verdict <= STOP_NO_BUFFER => verdict,
            Called::Returned(..) => STOP_NO_BUFFER,
        };
        let Some(stream) = self.http(context) else { return };
        let leg = stream.leg(direction);
        match verdict {
            0 => {
                leg.visible.body = false;
                self.pass(context, direction);
            }
            STOP_NO_BUFFER => {
                leg.body.clear();
                leg.hold = Hold::Passing;
            }
            _ if leg.body.len() > BODY_LIMIT => {
                self.local_reply(context, LocalReply::too_large(direction));
            }
            _ => leg.hold = Hold::Passing,
        }
    }

    fn show_trailers(&mut self, context: u32, direction: Direction) {
        let Some(stream) = self.http(context) else { return };
        let leg = stream.leg(direction);
        (leg.visible.trailers, leg.shown_trailers, leg.shown_end) = (true, true, true);
        let args = (context, number(leg.trailers.len()));
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
            Called::Failed => return self.fail_stream(context, direction),
            Called::Absent | Called::Returned(0, false) => true,
            Called::Returned(..) => false,
        };
        let Some(stream) = self.http(context) else { return };
        let leg = stream.leg(direction);
        if passes {
            leg.visible.trailers = false;
            self.pass(context, direction);
        } else {
            leg.hold = Hold::Passing;
        }
    }

    /// `proxy_continue_stream`, now that the callback is over.
    pub fn resume_leg(&mut self, context: u32, direction: Direction) {
        let Some(stream) = self.http(context) else { return };
        let (id, leg) = (stream.id, stream.leg(direction));
        if leg.hold == Hold::Nothing && leg.passed.is_some() {
            let violation = Violation::DoubleResume { stream: id, leg: direction.name() };
            return self.write(What::Violation(violation));
        }
        self.pass(context, direction);
    }

    /// Lets go of what the filter has seen of a leg.
    fn pass(&mut self, context: u32, direction: Direction) {
        let number = self.number();
        let Some(stream) = self.http(context) else { return };
        if direction == Direction::Request
            && let Some(header) = missing_header(&stream.request)
        {
            return self.local_reply(context, LocalReply::missing(header));
        }
        let (id, leg) = (stream.id, stream.leg(direction));
        let first = leg.pass();
        let complete = leg.complete;
        let mut asked = None;
        if direction == Direction::Request && complete && !stream.upstream_asked {
            stream.upstream_asked = true;
            asked = stream.upstream.delay();
        }
        if first {
            self.write(What::Passed { stream: id, direction });
        }
        if let Some(delay) = asked {
            self.world().schedule(delay, number, Event::Upstream { context });
        }
        if direction == Direction::Response && complete {
            self.end_stream(context, Ending::Complete);
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

fn headers_hold(verdict: u32, stopped: bool, allow_stop: bool) -> Hold {
    match verdict {
        _ if stopped => Hold::Everything,
        STOP_ITERATION if allow_stop => Hold::Passing,
        STOP_ITERATION | STOP_ALL_AND_BUFFER | STOP_ALL_AND_WATERMARK => Hold::Everything,
        _ if verdict > STOP_ALL_AND_WATERMARK => Hold::Everything,
        _ => Hold::Nothing,
    }
}

/// What the router refuses to go without.
fn missing_header(request: &Leg) -> Option<&'static str> {
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
