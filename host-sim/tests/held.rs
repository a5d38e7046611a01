//! What held requests cost. A guest decides how many it opens, for how long, and in which order it resets them,
//! so none may make another one dearer: the worker that they share serves other guests too.
//!
//! Instructions are counted, so no other load on the machine changes a result.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use host_sim::cases::{CaseFile, SessionSpec, Template};
use host_sim::{
    Answer, Cluster, Entry, Host, Instant, Plugin, Recording, Request, StreamId, TranscriptEvent,
};
use serde_json::{Value, json};
use std::time::Duration;

const FEW: usize = 250;
const MANY: usize = 2000;

/// What a request waits for.
#[derive(Clone, Copy, Debug)]
enum Wait {
    /// The answer to a callout of its own: its lease is for one operation.
    OwnCallout,
    /// The answer to the one callout for all of them.
    SharedCallout,
    /// The rest of its body.
    Body,
}

const WAITS: [Wait; 3] = [Wait::OwnCallout, Wait::SharedCallout, Wait::Body];

struct Guests {
    host: Host,
    config: Value,
    token: String,
}

impl Wait {
    fn request(self) -> Request {
        match self {
            Self::OwnCallout => Request::get("orders.demo.test", "/v1/orders"),
            Self::SharedCallout => Request::get("models.demo.test", "/v1/models"),
            Self::Body => Request::post("payments.demo.test", "/v1/pay", "begin").unfinished(),
        }
    }

    /// Where nothing comes.
    fn status_of_the_end(self) -> u16 {
        match self {
            Self::OwnCallout | Self::SharedCallout => 503,
            Self::Body => 408,
        }
    }
}

impl Guests {
    /// Custody does not answer.
    fn new() -> Self {
        let now = Instant::default().unix_seconds();
        let cases = CaseFile::open(&support::root().join("tests/cases/operations.yaml")).unwrap();
        let mut config = Template::new(now, String::new()).value(&cases.config.unwrap()).unwrap();
        config["custody"]["timeout"] = json!("10s");
        let host = Host::builder()
            .plugin(plugin("first", &config, 1))
            .cluster("custody", Cluster::answering([Answer::Never]))
            .recording(Recording::Everything)
            .start()
            .unwrap();
        Self { host, config, token: SessionSpec::default().mint(now, "session-1") }
    }

    fn hold(&mut self, wait: Wait, streams: usize) -> Vec<StreamId> {
        let request = wait.request().header("x-leasehold-session", self.token.clone());
        let streams: Vec<_> = (0..streams).map(|_| self.host.send(request.clone())).collect();
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

    /// A tick in which nothing is due. Ticks come each second, and the first has callouts to send.
    fn spent_by_a_tick(&mut self) -> u64 {
        self.host.advance(Duration::from_millis(2500));
        self.spent(|host| host.advance(Duration::from_secs(1)))
    }
}

fn plugin(name: &str, config: &Value, generation: u64) -> Plugin {
    let mut config = config.clone();
    config["policy"] = json!({"name": "egress", "generation": generation});
    let plugin = Plugin::new(&support::filter()).name(name);
    plugin.configuration(config.to_string()).allow_on_headers_stop_iteration(true)
}

/// Instructions a stream when this many are held, and then leave in their order or against it.
fn cost_of_leaving(wait: Wait, streams: usize, is_reversed: bool) -> u64 {
    let mut guests = Guests::new();
    let mut held = guests.hold(wait, streams);
    if is_reversed {
        held.reverse();
    }
    let spent = guests.spent(|host| held.into_iter().for_each(|stream| host.cancel(stream)));
    spent / u64::try_from(streams).unwrap()
}

/// A logarithm grows by a few comparisons; what is linear in the held streams grows eightfold.
fn assert_flat(wait: Wait, few: u64, many: u64) {
    assert!(
        many < few * 3 / 2,
        "{wait:?}: {few} instructions with {FEW} streams, {many} with {MANY}"
    );
}

#[test]
fn many_held_streams_are_reset_each_costs_the_same() {
    for wait in WAITS {
        for is_reversed in [false, true] {
            let cost = |streams| cost_of_leaving(wait, streams, is_reversed);
            assert_flat(wait, cost(FEW), cost(MANY));
        }
    }
}

#[test]
fn many_streams_are_held_a_tick_costs_the_same() {
    for wait in WAITS {
        let cost = |streams| {
            let mut guests = Guests::new();
            guests.hold(wait, streams);
            guests.spent_by_a_tick()
        };
        assert_flat(wait, cost(FEW), cost(MANY));
    }
}

#[test]
fn an_older_policy_has_many_streams_to_finish_a_tick_costs_the_same() {
    for wait in WAITS {
        let cost = |streams| {
            let mut guests = Guests::new();
            guests.hold(wait, streams);
            let newer = plugin("second", &guests.config, 2);
            guests.host.configure(newer).unwrap();
            guests.spent_by_a_tick()
        };
        assert_flat(wait, cost(FEW), cost(MANY));
    }
}

/// Instructions a stream until all waits have ended, by the callouts' timeout or the bodies', and of the
/// longest callback.
fn cost_of_ending(wait: Wait, streams: usize) -> (u64, u64) {
    let mut guests = Guests::new();
    let held = guests.hold(wait, streams);
    let before = guests.host.transcript().entries().len();
    let spent = guests.spent(|host| host.advance(Duration::from_secs(35)));
    for stream in held {
        guests.host.outcome(stream).assert_replied(wait.status_of_the_end());
    }
    let transcript = guests.host.transcript();
    let longest = transcript.entries().iter().skip(before).map(fuel).max().unwrap();
    (spent / u64::try_from(streams).unwrap(), longest)
}

#[test]
fn many_waits_end_each_costs_the_same_and_no_callback_ends_them_all() {
    let test = || {
        for wait in WAITS {
            let (few, few_longest) = cost_of_ending(wait, FEW);
            let (many, many_longest) = cost_of_ending(wait, MANY);
            assert_flat(wait, few, many);
            assert_flat(wait, few_longest, many_longest);
        }
    };
    // Here as in Envoy, what a callback ends is ended by calls within calls. Unoptimised, those need more than
    // a test's thread has.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(test).unwrap();
    thread.join().unwrap();
}

fn fuel(entry: &Entry) -> u64 {
    match entry.what {
        TranscriptEvent::Returned { fuel, .. } => fuel,
        _ => 0,
    }
}
