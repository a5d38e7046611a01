//! What held requests cost when their guests leave. A guest decides how many it opens and resets, so none may
//! make another one dearer: the worker that they share serves other guests too.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use host_sim::cases::{CaseFile, SessionSpec, Template};
use host_sim::{Answer, Cluster, Host, Instant, Plugin, Recording, Request, StreamId};

struct Guests {
    host: Host,
    token: String,
}

impl Guests {
    /// Custody never answers.
    fn new() -> Self {
        let now = Instant::default().unix_seconds();
        let cases = CaseFile::open(&support::root().join("tests/cases/operations.yaml")).unwrap();
        let config = Template::new(now, String::new()).value(&cases.config.unwrap()).unwrap();
        let host = Host::builder()
            .plugin(Plugin::new(&support::filter()).configuration(config.to_string()))
            .cluster("custody", Cluster::answering([Answer::Never]))
            .recording(Recording::Everything)
            .start()
            .unwrap();
        Self { host, token: SessionSpec::default().mint(now, "session-1") }
    }

    /// Each has a flight of its own, as its lease is for one operation.
    fn hold(&mut self, streams: usize) -> Vec<StreamId> {
        let request = Request::get("orders.demo.test", "/v1/orders")
            .header("x-leasehold-session", self.token.clone());
        let open = |_| self.host.send(request.clone());
        let streams: Vec<_> = (0..streams).map(open).collect();
        for stream in &streams {
            self.host.outcome(*stream).assert_held();
        }
        streams
    }

    fn spent(&mut self, act: impl FnOnce(&mut Host)) -> u64 {
        let before = self.host.transcript().fuel();
        act(&mut self.host);
        self.host.transcript().fuel() - before
    }
}

/// Instructions a stream when this many are held, and then leave in their order or against it.
fn cost_of_leaving(streams: usize, is_reversed: bool) -> u64 {
    let mut guests = Guests::new();
    let mut held = guests.hold(streams);
    if is_reversed {
        held.reverse();
    }
    let spent = guests.spent(|host| held.into_iter().for_each(|stream| host.cancel(stream)));
    spent / u64::try_from(streams).unwrap()
}

/// A logarithm grows by a few comparisons; what is linear in the held streams grows sixteenfold.
fn assert_flat(few: u64, many: u64) {
    assert!(many < few * 2, "{few} instructions a stream of 64, {many} of 1,024");
}

#[test]
fn many_held_streams_are_reset_each_costs_the_same() {
    for is_reversed in [false, true] {
        let cost = |streams| cost_of_leaving(streams, is_reversed);
        assert_flat(cost(64), cost(1024));
    }
}
