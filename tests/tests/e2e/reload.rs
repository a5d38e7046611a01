//! Policies that change while guests are connected, on a real Envoy whose listeners are in a file.

mod attempts;
mod discovered;
mod load;
mod remote_code;
mod under_way;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::envoy::running::WORKERS;
use stack::envoy::{EdgeSettings, Envoy, EnvoyBinary, ListenerFile, Options};
use stack::{StackBuilder, Way, ports};
use tempfile::TempDir;
use tests::guest::{self, Tls};
use tests::reply::Reply;
use tests::scene::{API, LEASED, Scene, builder};
use tests::wire::Wire;

use crate::wide::{self, Frozen, TWIN, wait_until};

/// Envoy's default: what an operator gets who says nothing.
const DEFAULT_DRAIN: Duration = Duration::from_secs(600);
/// What every shipped command that starts Envoy says; `tests/tests/shipping/deploy.rs` looks.
const SHIPPED_DRAIN: Duration = Duration::from_secs(5);
/// For a busy machine.
const SLACK: Duration = Duration::from_secs(5);
/// A VM a worker, one on the main thread, and the one that tries a configuration out.
const VMS: usize = WORKERS + 2;

/// A stack for custody, origin and sessions, and beside it an edge whose listeners can be replaced.
struct Edge {
    scene: Scene,
    envoy: Envoy,
    listeners: ListenerFile,
    settings: EdgeSettings,
    _folder: TempDir,
}

// === impl Edge ===

impl Edge {
    fn start(builder: StackBuilder, drain: Duration, version: Option<u64>) -> Self {
        Self::start_with(builder, drain, version, |_| {})
    }

    fn start_with(
        builder: StackBuilder,
        drain: Duration,
        version: Option<u64>,
        change: impl FnOnce(&mut EdgeSettings),
    ) -> Self {
        let scene = Scene::start(builder);
        let folder = tempfile::tempdir().unwrap();
        let mut settings = scene.stack.settings().clone();
        settings.listen = ports::free(ports::address()).unwrap();
        change(&mut settings);
        let config = rendered(&settings, version, |_| {});
        let (bootstrap, listeners) = ListenerFile::split(&config, folder.path()).unwrap();
        let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
        let options = Options { drain, ..Options::default() };
        let envoy = Envoy::start_with(options, &binary, &bootstrap, folder.path());
        let envoy = envoy.unwrap_or_else(|error| panic!("{error:#}"));
        Self { scene, envoy, listeners, settings, _folder: folder }
    }

    fn explicit(version: Option<u64>) -> Self {
        Self::start(builder().way(Way::Explicit), DEFAULT_DRAIN, version)
    }

    fn gateway(version: Option<u64>) -> Self {
        Self::start(builder().way(Way::Gateway), DEFAULT_DRAIN, version)
    }

    /// Replaces the listeners, with a policy that is changed so; does not wait.
    fn replace(&mut self, version: Option<u64>, change: impl FnOnce(&mut Value)) {
        self.listeners.replace(&rendered(&self.settings, version, change)).unwrap();
    }

    /// The same, and waits until every worker has it.
    fn reload(&mut self, generation: u64, change: impl FnOnce(&mut Value)) {
        self.replace(Some(generation), change);
        wait_until("the generation in every VM", || self.configured(generation) >= VMS);
    }

    /// How many VMs have been told of a generation.
    fn configured(&self, generation: u64) -> usize {
        let line = format!("policy edge: generation {generation} is configured");
        self.envoy.log().unwrap().matches(&line).count()
    }

    fn stat(&self, name: &str) -> u64 {
        self.envoy.admin().stat(name).unwrap()
    }

    fn tunnel(&self, host: &str) -> Wire<Tls> {
        let target = self.scene.at(host);
        let headers = [guest::bearer(&self.scene.session)];
        let tunnel = guest::connect(self.settings.listen, &target, &headers).unwrap();
        let ca = self.scene.stack.guest_ca().unwrap();
        Wire::new(guest::tls(tunnel.tunnel().unwrap(), ca, Some(host), "http/1.1").unwrap())
    }

    fn dial(&self) -> Wire<TcpStream> {
        Wire::new(guest::dial(self.settings.listen).unwrap())
    }

    fn request(&self, host: &str, path: &str) -> String {
        let (host, session) = (self.scene.at(host), &self.scene.session);
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Leasehold-Session: {session}\r\n\r\n")
    }

    fn inner(&self, host: &str, path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.scene.at(host))
    }
}

fn rendered(
    settings: &EdgeSettings,
    version: Option<u64>,
    change: impl FnOnce(&mut Value),
) -> String {
    let mut settings = settings.clone();
    if let Some(generation) = version {
        settings.plugin["policy"] = json!({"name": "edge", "generation": generation});
    }
    change(&mut settings.plugin);
    settings.render().unwrap()
}

/// `/v1/models` is not allowed any more.
fn tightened(plugin: &mut Value) {
    plugin["destinations"][0]["allow"] = json!([{"methods": ["GET"], "paths": ["/v1/tightened"]}]);
}

fn verdict(reply: &Reply) -> (u16, Option<String>) {
    (reply.status, reply.reason())
}

fn allowed() -> (u16, Option<String>) {
    (200, None)
}

fn denied() -> (u16, Option<String>) {
    (403, Some("path_not_allowed".to_owned()))
}

#[test]
fn a_tightened_policy_judges_the_requests_of_open_tunnels_at_once() {
    let mut edge = Edge::explicit(Some(1));
    let request = edge.inner(API, "/v1/models");
    let mut tunnels: Vec<_> = (0..6).map(|_| edge.tunnel(API)).collect();
    for tunnel in &mut tunnels {
        assert_eq!(verdict(&tunnel.exchange(&request).unwrap()), allowed());
    }
    edge.reload(2, tightened);
    let arrived = edge.scene.arrived();
    for tunnel in &mut tunnels {
        assert_eq!(verdict(&tunnel.exchange(&request).unwrap()), denied());
    }
    assert_eq!(edge.scene.arrived(), arrived);
    // What the new policy allows passes in the same tunnels, with the credential.
    let request = edge.inner(API, "/v1/tightened");
    for tunnel in &mut tunnels {
        assert_eq!(verdict(&tunnel.exchange(&request).unwrap()), allowed());
    }
    let seen = edge.scene.stack.origin().unwrap().record().last().unwrap();
    assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
    edge.envoy.stop().unwrap();
}

/// A request that waits for custody and one whose body is read, with the policy that admitted them.
#[test]
fn requests_under_way_finish_with_the_policy_that_admitted_them() {
    let mut policy = wide::policy("10s");
    policy["destinations"][1]["credential"] =
        json!({"handle": "api", "binding": "single_use", "body_digest": true});
    let builder = wide::builder("10s").way(Way::Gateway).policy(policy);
    let mut edge = Edge::start(builder, DEFAULT_DRAIN, Some(1));
    let denying = |plugin: &mut Value| {
        for destination in plugin["destinations"].as_array_mut().unwrap() {
            destination["allow"] = json!([{"methods": ["GET"], "paths": ["/v1/tightened"]}]);
        }
    };
    let (mut waiting, mut reading) = (edge.dial(), edge.dial());
    let head = edge.request(TWIN, "/v1/pay").replacen("GET", "POST", 1);
    reading.send(head.replacen("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\nhalf", 1)).unwrap();
    let frozen = Frozen::custody(&edge.scene);
    waiting.send(edge.request(API, "/v1/models")).unwrap();
    wait_until("the request waits", || edge.stat("wasmcustom.leasehold.leases") == 1);
    edge.reload(2, denying);
    drop(frozen);
    assert_eq!(verdict(&waiting.read_reply("GET").unwrap()), allowed());
    reading.send("more").unwrap();
    assert_eq!(verdict(&reading.read_reply("POST").unwrap()), allowed());
    // And the next on the same connections with the new one.
    assert_eq!(verdict(&waiting.exchange(edge.request(API, "/v1/models")).unwrap()), denied());
    assert_eq!(verdict(&reading.exchange(edge.request(TWIN, "/v1/models")).unwrap()), denied());
    edge.envoy.stop().unwrap();
}

#[test]
fn a_policy_that_is_refused_leaves_the_one_before_it_in_force() {
    let mut edge = Edge::gateway(Some(1));
    let request = edge.request(API, "/v1/models");
    let mut open = edge.dial();
    assert_eq!(verdict(&open.exchange(&request).unwrap()), allowed());
    edge.replace(Some(2), |plugin| plugin["destinations"] = json!("none"));
    let rejected = "listener_manager.lds.update_rejected";
    wait_until("Envoy refuses it", || edge.stat(rejected) == 1);
    assert_eq!(edge.configured(2), 0);
    assert_eq!(verdict(&open.exchange(&request).unwrap()), allowed());
    assert_eq!(verdict(&edge.dial().exchange(&request).unwrap()), allowed());
    edge.reload(3, tightened);
    assert_eq!(verdict(&open.exchange(&request).unwrap()), denied());
    edge.envoy.stop().unwrap();
}

#[test]
fn an_older_policy_judges_again_with_a_higher_generation_and_not_with_its_own() {
    let mut edge = Edge::gateway(Some(1));
    let request = edge.request(API, "/v1/models");
    let mut oldest = edge.dial();
    assert_eq!(verdict(&oldest.exchange(&request).unwrap()), allowed());
    edge.reload(2, tightened);
    assert_eq!(verdict(&oldest.exchange(&request).unwrap()), denied());
    // The root context of generation 1 still drains, so Envoy configures nothing anew.
    let update = "listener_manager.lds.update_success";
    let before = edge.stat(update);
    edge.replace(Some(1), |_| {});
    wait_until("Envoy takes it", || edge.stat(update) > before);
    wait_until("the listener", || edge.stat("listener_manager.total_listeners_warming") == 0);
    assert_eq!(edge.configured(1), VMS);
    assert_eq!(verdict(&edge.dial().exchange(&request).unwrap()), denied());
    edge.reload(3, |_| {});
    assert_eq!(verdict(&oldest.exchange(&request).unwrap()), allowed());
    assert_eq!(verdict(&edge.dial().exchange(&request).unwrap()), allowed());
    edge.envoy.stop().unwrap();
}

#[test]
fn an_older_policy_that_rests_judges_again_when_the_newer_one_is_gone() {
    let builder = builder().way(Way::Gateway);
    let mut edge = Edge::start(builder, Duration::from_secs(1), Some(1));
    let request = edge.request(API, "/v1/models");
    let mut open = edge.dial();
    assert_eq!(verdict(&open.exchange(&request).unwrap()), allowed());
    let older = rendered(&edge.settings, Some(1), |_| {});
    let mut both: Value = serde_json::from_str(&older).unwrap();
    let newer: Value = serde_json::from_str(&rendered(&edge.settings, Some(2), tightened)).unwrap();
    let mut other = newer["static_resources"]["listeners"][0].clone();
    other["name"] = json!("others");
    other["address"]["socket_address"]["port_value"] = json!(0);
    both["static_resources"]["listeners"].as_array_mut().unwrap().push(other);
    edge.listeners.replace(&both.to_string()).unwrap();
    wait_until("the generation in every VM", || edge.configured(2) >= VMS);
    assert_eq!(verdict(&open.exchange(&request).unwrap()), denied());
    // Two ticks: it rests.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(verdict(&open.exchange(&request).unwrap()), denied());
    edge.listeners.replace(&older).unwrap();
    wait_until("the older policy judges again", || {
        verdict(&open.exchange(&request).unwrap()) == allowed()
    });
    let seen = edge.scene.stack.origin().unwrap().record().last().unwrap();
    assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
    wait_until("its polls", || edge.stat("cluster.custody.upstream_rq_active") == 3);
    edge.envoy.stop().unwrap();
}

#[test]
fn without_generations_the_drain_time_is_the_bound() {
    let drain = SHIPPED_DRAIN;
    let mut edge = Edge::start(builder().way(Way::Gateway), drain, None);
    let request = edge.request(API, "/v1/models");
    let mut open = edge.dial();
    assert_eq!(verdict(&open.exchange(&request).unwrap()), allowed());
    edge.replace(None, tightened);
    wait_until("the new listener", || {
        verdict(&edge.dial().exchange(&request).unwrap()) == denied()
    });
    let replaced = Instant::now();
    // The old policy judges what comes on the old connection, until Envoy closes it.
    while let Ok(reply) = open.exchange(&request) {
        assert_eq!(verdict(&reply), allowed());
        assert!(replaced.elapsed() < drain + SLACK, "the connection is still open");
        if reply.header("connection").as_deref() == Some("close") {
            break;
        }
    }
    wait_until("its end", || edge.stat("listener_manager.total_listeners_draining") == 0);
    assert!(replaced.elapsed() < drain + SLACK);
    edge.envoy.stop().unwrap();
}
