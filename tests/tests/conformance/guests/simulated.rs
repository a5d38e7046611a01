//! A scenario on host-sim.

use host_sim::{
    Answer, Cluster, HeaderMap, Host, Level, Message, MetricKind, Module, Outcome, Plugin, Request,
    StreamId, Upstream,
};

use super::scenario::{self, Ask, Filter, Scenario, Seen, Told, comparable};
use super::server::Says;

pub fn tell(module: &Module, scenario: &Scenario) -> Told {
    let mut builder = Host::builder().workers(2);
    for Filter { name, root_id, configuration, vm_id } in &scenario.filters {
        let plugin = Plugin::new(module).name(name).root_id(root_id).vm_id(vm_id);
        builder = builder.plugin(plugin.configuration(*configuration));
    }
    builder = builder.chain(scenario.filters.iter().map(|filter| filter.name));
    if let Some(says) = &scenario.authority {
        let answer = match says {
            Says::Answer(status, body) => Answer::respond(*status, &[], *body),
            Says::Nothing => Answer::Never,
            Says::Close => Answer::connect_failure(),
        };
        builder = builder.cluster("authority", Cluster::answering_with(move |_| answer.clone()));
    }
    let mut host = builder.start().unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    let seen = scenario.asks.iter().map(|ask| exchange(&mut host, scenario, ask)).collect();
    let asked = host.callouts("authority").iter().map(|call| path(&call.message)).collect();
    let transcript = host.transcript();
    assert_eq!(transcript.failures().count(), 0, "{}\n{transcript}", scenario.name);
    let log = transcript.logs().filter(|(level, _)| *level >= Level::Info);
    let log =
        log.map(|(_, message)| message.to_owned()).filter(|text| super::is_of_a_request(text));
    let metrics = host.metrics().into_iter().filter(|(kind, ..)| *kind != MetricKind::Histogram);
    Told {
        seen,
        asked,
        log: log.collect(),
        metrics: metrics.map(|(_, name, value)| (name, value)).collect(),
    }
}

fn exchange(host: &mut Host, scenario: &Scenario, ask: &Ask) -> Seen {
    // As HTTP/1.1 shows bodies: their end is a piece of its own.
    let upstream = Upstream::streams(200, &[("server", "origin")], [scenario.origin, ""]);
    let stream = send(host, ask, |request| request.upstream(upstream));
    let outcome = host.outcome(stream);
    seen(&outcome).unwrap_or_else(|| panic!("{}: {outcome}", scenario.name))
}

/// A request, as far as it gets.
pub fn send(host: &mut Host, ask: &Ask, adjust: impl FnOnce(Request) -> Request) -> StreamId {
    let method = if ask.body.is_some() { "POST" } else { "GET" };
    let headers = HeaderMap::from([
        (":authority", "guest.test"),
        (":path", ask.path),
        (":method", method),
        (":scheme", "http"),
    ]);
    let mut request = Request::from_message(Message { headers, ..Message::default() });
    if let Some(body) = ask.body {
        request = request.header("content-length", body.len().to_string()).unfinished();
    }
    for (name, value) in ask.headers {
        request = request.header(name, *value);
    }
    let stream = host.send(adjust(request.header("x-forwarded-proto", "http")));
    if let Some(body) = ask.body {
        host.send_body(stream, body, false);
        host.send_body(stream, "", true);
    }
    host.settle();
    stream
}

/// What can be seen of it from outside.
pub fn seen(outcome: &Outcome) -> Option<Seen> {
    let received = outcome.received.as_ref()?;
    Some(Seen {
        status: received.headers.text(":status").and_then(|text| text.parse().ok()).unwrap_or(0),
        headers: headers(received),
        body: received.body_text(),
        // The server of the other side tells of whole requests.
        upstream: outcome.upstream.as_ref().filter(|_| outcome.upstream_complete).map(|message| {
            scenario::Upstream {
                path: path(message),
                headers: headers(message),
                body: message.body_text(),
            }
        }),
    })
}

fn path(message: &Message) -> String {
    message.headers.text(":path").unwrap_or_default()
}

fn headers(message: &Message) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    comparable(message.headers.iter().map(|(name, value)| (name.to_owned(), text(value))))
}
