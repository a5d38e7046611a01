//! Several requests of one guest at once: on one h2 connection, and with it on one of Envoy's workers.
//!
//! Nothing here waits for a time to be over. A ping that is answered tells that the filter has seen what
//! was sent before it, and custody is held until all is where a case wants it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use host_sim::cases::{Act, Observed, Stage, Tunnel, request_text};
use http::Request;
use stack::Stack;
use tests::guest;
use tests::http2::{Begun, Http2};

use crate::edge::CALLOUTS;
use crate::exchange::{self, Guest};

/// For a callout to arrive at custody.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// Lets the guest do it all; what it saw of each.
///
/// # Errors
/// The connection does not come up, or ends early.
pub fn act_out(stack: &Stack, guest: &mut Guest, acts: &[Act]) -> Result<Vec<Observed>> {
    let tunnel = acts.first().and_then(|act| act.tunnel.clone());
    let same = acts.iter().all(|act| act.tunnel == tunnel);
    ensure!(same, "together: requests at once share their connection, and with it the tunnel");
    let (_, connection) = match guest.open_h2.take() {
        Some(open) if open.0 == tunnel => guest.open_h2.insert(open),
        _ => {
            let connection = connect(stack, tunnel.as_ref())?;
            guest.open_h2.insert((tunnel, connection))
        }
    };
    let custody = stack.scripted_custody()?;
    custody.hold(true);
    let begun = wait_together(stack, acts, connection);
    custody.hold(false);
    let begun = begun?;
    let mut seen = vec![Observed::nothing(Stage::Gone); acts.len()];
    let (numbers, staying): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
    for (number, reply) in numbers.into_iter().zip(connection.finish(staying)) {
        let (turn, reply) = reply.with_context(|| format!("request {}", number + 1))?;
        seen[number] = Observed { turn: Some(turn), ..exchange::observed(&reply, &acts[number]) };
    }
    Ok(seen)
}

fn connect(stack: &Stack, tunnel: Option<&Tunnel>) -> Result<Http2> {
    let Some(tunnel) = tunnel else {
        return Http2::plain(guest::dial(stack.edge())?);
    };
    let ca = stack.guest_ca().context("a tunnel in the gateway posture")?;
    let sni = tunnel.sni.as_deref().context("together: TLS without a server name")?;
    Http2::over_tls(exchange::connect(stack, tunnel)?.tunnel()?, ca, sni)
}

/// Begins every request, sends the bodies, and takes back those that go away; the others, with their
/// numbers.
fn wait_together(
    stack: &Stack,
    acts: &[Act],
    connection: &mut Http2,
) -> Result<Vec<(usize, Begun)>> {
    let (made, arrived) = (callouts(stack)?, stack.asked().len());
    let mut begun = Vec::new();
    for act in acts {
        begun.push(connection.begin(request(act)?, !act.body.is_empty())?);
        connection.settle()?;
        // So that custody's answers meet the callouts in their order.
        let since = Instant::now();
        while stack.asked().len() - arrived < callouts(stack)? - made {
            ensure!(since.elapsed() < PATIENCE, "a callout does not arrive at custody");
            thread::sleep(POLL);
        }
    }
    for (act, begun) in acts.iter().zip(&mut begun) {
        for (n, piece) in act.body.iter().enumerate() {
            begun.send(piece.as_bytes(), n + 1 == act.body.len())?;
            connection.settle()?;
        }
    }
    let (leaving, staying): (Vec<_>, Vec<_>) =
        begun.into_iter().enumerate().partition(|(number, _)| acts[*number].goes_away);
    leaving.into_iter().for_each(|(_, begun)| begun.reset());
    connection.settle()?;
    Ok(staying)
}

fn callouts(stack: &Stack) -> Result<usize> {
    Ok(usize::try_from(stack.envoy()?.admin().stat(CALLOUTS)?)?)
}

fn request(act: &Act) -> Result<Request<()>> {
    let text = act.request.as_deref().context("at once: a CONNECT alone")?;
    let message = request_text::parse(text).map_err(anyhow::Error::msg)?;
    let named = |name| message.headers.text(name).unwrap_or_default();
    let scheme = if act.tunnel.is_some() { "https" } else { "http" };
    let mut request = Request::builder().method(named(":method").as_str()).uri(format!(
        "{scheme}://{}{}",
        named(":authority"),
        named(":path")
    ));
    for (name, value) in message.headers.iter().filter(|(name, _)| !name.starts_with(':')) {
        request = request.header(name, value);
    }
    request.body(()).context("a request for h2")
}
