//! One step of a guest's, on the wire.

use std::net::TcpStream;

use anyhow::{Context, Result};
use host_sim::HeaderMap;
use host_sim::Message;
use host_sim::cases::{Act, Observed, Stage, Tunnel, request_text};
use stack::Stack;
use stack::origin::Seen;
use tests::guest::{self, Connected};
use tests::http2::Http2;
use tests::reply::Reply;
use tests::wire::Wire;

/// What Envoy's RBAC filter says where there is no permit.
const NET: &[u8] = b"RBAC: access denied";

/// A guest through the steps of a case: requests without a tunnel share a connection, and with it a
/// worker of Envoy's, as long as it lives; so do requests at once.
#[derive(Default)]
pub struct Guest {
    open: Option<Wire<TcpStream>>,
    /// For requests at once, and the tunnel it is in.
    pub open_h2: Option<(Option<Tunnel>, Http2)>,
}

// === impl Guest ===

impl Guest {
    /// CONNECT, request, or both; what came back, and why nothing did.
    pub fn act(&mut self, stack: &Stack, act: &Act) -> (Observed, Option<String>) {
        match self.try_act(stack, act) {
            Ok(reply) => (observed(&reply, act), None),
            Err(error) => {
                let nothing = Observed::nothing(Stage::Unanswered);
                (nothing, Some(format!("no answer: {error:#}")))
            }
        }
    }

    fn try_act(&mut self, stack: &Stack, act: &Act) -> Result<Reply> {
        let bytes = act.request.as_deref().map(wire_text);
        let Some(tunnel) = &act.tunnel else {
            return self.plainly(stack, &bytes.context("neither a request nor a CONNECT")?);
        };
        let connected = connect(stack, tunnel)?;
        match (connected, bytes) {
            (Connected::Refused(reply), _) => Ok(reply),
            (Connected::Tunnel(_), None) => {
                Ok(Reply { status: 200, headers: Vec::new(), body: Vec::new() })
            }
            (Connected::Tunnel(stream), Some(bytes)) => {
                let ca = stack.guest_ca().context("a tunnel in the gateway posture")?;
                let tls = guest::tls(stream, ca, tunnel.sni.as_deref(), "http/1.1")?;
                Wire::new(tls).exchange(bytes)
            }
        }
    }

    fn plainly(&mut self, stack: &Stack, bytes: &[u8]) -> Result<Reply> {
        let mut wire = match self.open.take() {
            Some(wire) => wire,
            None => Wire::new(guest::dial(stack.edge())?),
        };
        let reply = wire.exchange(bytes)?;
        if reply.header("connection").as_deref() != Some("close") {
            self.open = Some(wire);
        }
        Ok(reply)
    }
}

pub fn connect(stack: &Stack, tunnel: &Tunnel) -> Result<Connected> {
    let header = tunnel.authorization.iter().map(|text| format!("Proxy-Authorization: {text}"));
    let headers: Vec<_> = tunnel.headers.iter().cloned().chain(header).collect();
    guest::connect(stack.edge(), &tunnel.authority, &headers)
}

/// A case's text as it goes over the wire.
fn wire_text(text: &str) -> Vec<u8> {
    let (head, body) = request_text::split_head(text);
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    if !body.is_empty() {
        lines.push(format!("content-length: {}", body.len()));
    }
    format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
}

pub fn observed(reply: &Reply, act: &Act) -> Observed {
    let reason = reply.reason();
    let opened = act.request.is_none() && reply.status == 200;
    let stage = match reply.body.as_slice() {
        _ if opened => Stage::Through,
        NET if reason.is_none() => Stage::Net,
        _ => Stage::Answered,
    };
    let mut headers = HeaderMap::from([(":status", reply.status.to_string().as_str())]);
    for (name, value) in &reply.headers {
        headers.add(name, value.clone());
    }
    let received = Message { headers, body: reply.body.clone(), ..Message::default() };
    Observed { status: Some(reply.status), reason, received, ..Observed::nothing(stage) }
}

/// The oracle of a passage: what the origin saw.
pub fn arrived(observed: &mut Observed, seen: &Seen) {
    observed.stage = Stage::Through;
    observed.upstream = Some(message(seen));
}

fn message(seen: &Seen) -> Message {
    let mut headers = HeaderMap::from([
        (":method", seen.method.as_str()),
        (":authority", seen.host.as_str()),
        (":path", seen.path.as_str()),
    ]);
    for (name, value) in seen.headers() {
        headers.add(name, value);
    }
    Message { headers, body: seen.body(), ..Message::default() }
}
