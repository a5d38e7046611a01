//! A scenario on host-sim.

use host_sim::{
    Answer, Cluster, Host, Level, Message, MetricKind, Module, Plugin, Request, Upstream,
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
    let mut request = match ask.body {
        None => Request::get("guest.test", ask.path),
        Some(body) => Request::new("POST", "guest.test", ask.path)
            .header("content-length", body.len().to_string())
            .unfinished(),
    };
    for (name, value) in ask.headers {
        request = request.header(name, *value);
    }
    // As HTTP/1.1 shows bodies: their end is a piece of its own.
    let upstream = Upstream::streams(200, &[("server", "origin")], [scenario.origin, ""]);
    let stream = host.send(request.header("x-forwarded-proto", "http").upstream(upstream));
    if let Some(body) = ask.body {
        host.send_body(stream, body, false);
        host.send_body(stream, "", true);
    }
    host.settle();
    let outcome = host.outcome(stream);
    let Some(received) = &outcome.received else { panic!("{}: {outcome}", scenario.name) };
    Seen {
        status: received.headers.text(":status").and_then(|text| text.parse().ok()).unwrap(),
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
    }
}

fn path(message: &Message) -> String {
    message.headers.text(":path").unwrap_or_default()
}

fn headers(message: &Message) -> Vec<(String, String)> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    comparable(message.headers.iter().map(|(name, value)| (name.to_owned(), text(value))))
}
