//! A module on host-sim.

use host_sim::{
    Answer, CalloutResponse, Cause, Cluster, Error, HeaderMap, Host, Module, Plugin, Request,
    Upstream,
};

use super::{ASKS, AUTHORITY, Guest, ORIGIN, Told, trace};
use crate::guests::scenario::{Ask, Seen};
use crate::guests::simulated;

/// The first worker's VM.
const WORKER: usize = 1;

pub fn tell(guest: &Guest) -> Told {
    let refused = |error: &Error| {
        eprintln!("{}: {error}", guest.name);
        let crashes =
            error.to_string().contains("crashes Envoy") || matches!(error, Error::Crash(_));
        let refused = if crashes { "crashes" } else { "refused" };
        Told { refused: Some(refused.to_owned()), ..Told::default() }
    };
    let module = match Module::new(&guest.module) {
        Ok(module) => module,
        Err(error) => return refused(&error),
    };
    let plugin = Plugin::new(&module).name("guest").root_id("root").vm_id("vm");
    let plugin = plugin.configuration(guest.configuration.as_str());
    let authority = Cluster::answering_with(|_| answer());
    let host =
        Host::builder().plugin(plugin).cluster("authority", authority).main_thread(true).start();
    let mut host = match host {
        Ok(host) => host,
        Err(error) => return refused(&error),
    };
    let seen = ASKS.iter().map(|ask| exchange(&mut host, ask)).collect();
    let crash =
        host.transcript().failures().find(|one| matches!(one.cause, Cause::Crash(_))).cloned();
    if let Some(failure) = crash {
        eprintln!("{}: {failure}", guest.name);
        return Told { refused: Some("crashes at a request".to_owned()), ..Told::default() };
    }
    let starts = trace::starts_in(&host.transcript(), WORKER);
    let trace::Trace { calls, log, .. } = trace::of_transcript(&host.transcript(), WORKER);
    let log = log.into_iter().map(guest.comparable).collect();
    Told { refused: None, starts, calls, seen, log }
}

fn answer() -> Answer {
    let (status, body) = AUTHORITY;
    let headers = HeaderMap::from([
        (":status", status.to_string().as_str()),
        ("server", "origin"),
        ("content-length", body.len().to_string().as_str()),
    ]);
    let response = CalloutResponse { headers, body: body.into(), ..CalloutResponse::default() };
    Answer::Response { response, delay: std::time::Duration::ZERO }
}

fn exchange(host: &mut Host, ask: &Ask) -> Option<Seen> {
    let length = ORIGIN.len().to_string();
    let headers = [("server", "origin"), ("content-length", length.as_str())];
    // As HTTP/1.1 shows bodies: their end is a piece of its own.
    let upstream = Upstream::streams(200, &headers, [ORIGIN, ""]);
    let stream = simulated::send(host, ask, |request: Request| request.upstream(upstream));
    let outcome = host.outcome(stream);
    if outcome.received.is_none() || outcome.held {
        host.cancel(stream);
        host.settle();
    }
    let received = outcome.received.as_ref()?;
    let length = received.headers.text("content-length").and_then(|text| text.parse().ok());
    // Its receiver waits for the rest.
    let is_whole = length.is_none_or(|length: usize| received.body.len() >= length);
    is_whole.then(|| simulated::seen(&outcome))?
}
