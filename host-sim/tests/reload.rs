//! Two configurations in one VM, as after a reload of a listener: each judges by its own policy and keeps what it
//! remembers for itself, and of one policy the newer generation judges in place of the older.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use host_sim::cases::{CaseFile, SessionSpec, Template};
use host_sim::{Answer, Cluster, Host, Instant, Outcome, Plugin, Request, StreamId};
use serde_json::{Value, json};
use std::time::Duration;

const MODELS: &str = "/v1/models";
const FILES: &str = "/v1/files";

struct Edge {
    host: Host,
    token: String,
}

/// The configuration of the cases, for one destination and these paths of it.
fn plugin(name: &str, policy: &Value, path: &str) -> Plugin {
    let now = Instant::default().unix_seconds();
    let cases = CaseFile::open(&support::root().join("tests/cases/operations.yaml")).unwrap();
    let mut config = Template::new(now, String::new()).value(&cases.config.unwrap()).unwrap();
    if !policy.is_null() {
        config["policy"] = policy.clone();
    }
    config["custody"]["sync"] = json!("off");
    config["destinations"] = json!([{
        "name": name,
        "hosts": ["models.demo.test"],
        "allow": [{"methods": ["GET"], "paths": [path]}],
        "credential": {"handle": name},
    }]);
    Plugin::new(&support::filter()).name(name).configuration(config.to_string())
}

fn generation(generation: u64) -> Value {
    json!({"name": "egress", "generation": generation})
}

/// A lease that says for which handle it is.
fn lease(request: &host_sim::CalloutRequest) -> Answer {
    let asked: Value = serde_json::from_slice(&request.message.body).unwrap();
    let (now, handle) = (Instant::default().unix_seconds(), asked["handle"].as_str().unwrap());
    let lease = json!({
        "lease_id": handle, "expires_at": now + 300, "renew_after": now + 240,
        "headers": [{"name": "authorization", "value": handle}], "binding": "session",
    });
    Answer::json(200, lease.to_string()).after(Duration::from_millis(100))
}

// === impl Edge ===

impl Edge {
    fn new(plugins: impl IntoIterator<Item = Plugin>) -> Self {
        let custody = Cluster::answering_with(lease);
        let builder = Host::builder().cluster("custody", custody);
        let builder = plugins.into_iter().fold(builder, host_sim::Builder::plugin);
        let now = Instant::default().unix_seconds();
        let token = SessionSpec::default().mint(now, "session-1");
        Self { host: builder.start().unwrap(), token }
    }

    /// Brings a request by the listener of this plugin.
    fn send(&mut self, plugin: &str, path: &str) -> StreamId {
        let request = Request::get("models.demo.test", path)
            .header("x-leasehold-session", self.token.clone())
            .through(plugin);
        self.host.send(request)
    }

    fn exchange(&mut self, plugin: &str, path: &str) -> Outcome {
        let stream = self.send(plugin, path);
        self.host.settle();
        self.host.outcome(stream)
    }

    /// Forwarded with the lease of this handle.
    fn assert_forwarded(&mut self, plugin: &str, path: &str, handle: &str) {
        let outcome = self.exchange(plugin, path);
        outcome.assert_forwarded().assert_upstream_header("authorization", handle);
    }

    fn assert_denied(&mut self, plugin: &str, path: &str, reason: &str) {
        self.exchange(plugin, path).assert_received_header("x-deny-reason", reason);
    }

    fn leases_asked(&self) -> usize {
        self.host.callouts("custody").len()
    }
}

#[test]
fn two_policies_share_a_vm_each_judges_by_its_own_and_shares_no_lease() {
    let other = json!({"name": "other", "generation": 9});
    for (policy, other) in [(Value::Null, Value::Null), (generation(1), other)] {
        let mut edge =
            Edge::new([plugin("first", &policy, MODELS), plugin("second", &other, FILES)]);
        for _ in 0..2 {
            edge.assert_forwarded("first", MODELS, "first");
            edge.assert_denied("first", FILES, "path_not_allowed");
            edge.assert_forwarded("second", FILES, "second");
            edge.assert_denied("second", MODELS, "path_not_allowed");
        }
        assert_eq!(edge.leases_asked(), 2);
    }
}

#[test]
fn a_newer_generation_comes_it_judges_also_the_requests_of_the_older_listener() {
    let mut edge = Edge::new([plugin("first", &generation(1), MODELS)]);
    edge.assert_forwarded("first", MODELS, "first");
    edge.host.configure(plugin("second", &generation(2), FILES)).unwrap();
    for listener in ["first", "second"] {
        edge.assert_denied(listener, MODELS, "path_not_allowed");
        edge.assert_forwarded(listener, FILES, "second");
    }
    edge.host.retire("first");
    edge.assert_denied("second", MODELS, "path_not_allowed");
    edge.assert_forwarded("second", FILES, "second");
    assert_eq!(edge.leases_asked(), 2);
}

#[test]
fn a_request_is_held_when_a_newer_generation_comes_the_older_one_finishes_it() {
    let mut edge = Edge::new([plugin("first", &generation(1), MODELS)]);
    let held = edge.send("first", MODELS);
    edge.host.configure(plugin("second", &generation(2), FILES)).unwrap();
    edge.host.advance(Duration::from_millis(50));
    edge.host.outcome(held).assert_held();
    edge.host.settle();
    let outcome = edge.host.outcome(held);
    outcome.assert_forwarded().assert_upstream_header("authorization", "first");
}

#[test]
fn the_newer_generation_goes_first_the_older_one_judges_again_with_nothing_remembered() {
    let mut edge = Edge::new([plugin("first", &generation(1), MODELS)]);
    edge.assert_forwarded("first", MODELS, "first");
    edge.host.configure(plugin("second", &generation(2), FILES)).unwrap();
    // Long enough for the older one to rest.
    edge.host.advance(Duration::from_secs(60));
    let held = edge.send("first", FILES);
    edge.host.retire("second");
    edge.host.outcome(held).assert_received_header("x-deny-reason", "not_configured");
    edge.assert_denied("first", FILES, "path_not_allowed");
    edge.assert_forwarded("first", MODELS, "first");
    assert_eq!(edge.leases_asked(), 3);
}
