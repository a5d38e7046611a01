//! A scenario on host-sim.

use host_sim::{
    Answer, Cluster, Host, Level, Message, MetricKind, Module, Plugin, Request, Upstream,
};

use super::scenario::{self, Ask, Scenario, Seen, Told, comparable};
use super::server::Says;

pub fn tell(module: &Module, scenario: &Scenario) -> Told {
    let plugin =
        Plugin::new(module).root_id(scenario.root_id).configuration(scenario.configuration);
    let mut builder = Host::builder().plugin(plugin).workers(2);
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
        Some(body) => Request::post("guest.test", ask.path, body)
            .header("content-length", body.len().to_string()),
    };
    for (name, value) in ask.headers {
        request = request.header(name, *value);
    }
    let upstream = Upstream::answers(200, &[("server", "origin")], scenario.origin);
    let outcome = host.exchange(request.header("x-forwarded-proto", "http").upstream(upstream));
    let Some(received) = &outcome.received else { panic!("{}: {outcome}", scenario.name) };
    Seen {
        status: received.headers.text(":status").and_then(|text| text.parse().ok()).unwrap(),
        headers: headers(received),
        body: received.body_text(),
        upstream: outcome.upstream.as_ref().map(|message| scenario::Upstream {
            path: path(message),
            headers: headers(message),
            body: message.body_text(),
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
