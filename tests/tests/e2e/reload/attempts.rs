//! `inject: upstream` where the two filters of a request do not meet as they should: a forgotten `vm_id`, a
//! module that is swapped, a VM that trapped and was started anew. An attempt is denied or carries the
//! credential of its own session, and never another's.

mod swapped;
mod trapped;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use stack::envoy::{EdgeSettings, Envoy, EnvoyBinary, Options};
use stack::origin::OriginSettings;
use stack::policy::ORIGIN_PORT;
use stack::{Credential, Stack, StackBuilder, Way};
use tests::guest;
use tests::reply::Reply;
use tests::scene::{API, OPEN, Scene};
use tests::wire::Wire;

use super::{DEFAULT_DRAIN, verdict};
use crate::wide::{self, wait_until};

const TEAMS: [&str; 2] = ["red", "blue"];
/// Of each team, at once.
const GUESTS: usize = 4;
const MODELS: &str = "/v1/models";
/// Where the credential is refused after a while: there is a second attempt, and the first ticket is open
/// until then. Path, method and host are the same for both teams.
const REFUSED: &str = "/delay?ms=40&status=401";

fn bearer(team: &str) -> String {
    format!("Bearer secret-of-{team}-51c0")
}

/// One host, a credential for each team; and a host without one.
fn builder() -> StackBuilder {
    let allow = json!([{"methods": ["GET", "POST"], "paths": ["/**"]}]);
    let mut destinations: Vec<_> = TEAMS
        .iter()
        .map(|team| {
            json!({
                "name": team, "hosts": [API], "ports": [ORIGIN_PORT], "allow": allow,
                "sessions": {"claims": {"team": [team]}}, "credential": {"handle": team},
            })
        })
        .collect();
    destinations
        .push(json!({"name": "open", "hosts": [OPEN], "ports": [ORIGIN_PORT], "allow": allow}));
    let mut policy = wide::policy("10s");
    policy["destinations"] = json!(destinations);
    let builder =
        Stack::builder().way(Way::Gateway).policy(policy).origin(OriginSettings::new([API, OPEN]));
    TEAMS.iter().fold(builder, |builder, team| {
        builder.credential(Credential::bearer(team, bearer(team).trim_start_matches("Bearer ")))
    })
}

fn with_attempts(settings: &mut EdgeSettings) {
    settings.retry = true;
    settings.plugin["inject"] = json!("upstream");
}

fn start(scene: &Scene, config: &str, workers: usize, folder: &Path) -> Envoy {
    let mut config: Value = serde_json::from_str(config).unwrap();
    config["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] =
        json!(0);
    let binary = EnvoyBinary::locate_or_fetch(&|_| {}).unwrap();
    let options = Options { workers, drain: DEFAULT_DRAIN, ..Options::default() };
    let envoy = Envoy::start_with(options, &binary, &config.to_string(), folder);
    assert_eq!(scene.arrived(), 0);
    envoy.unwrap_or_else(|error| panic!("{error:#}"))
}

/// A guest of a team; the origin sees whose request it has, beside whose credential.
struct Guest<'s> {
    scene: &'s Scene,
    team: &'static str,
    session: String,
}

// === impl Guest ===

impl<'s> Guest<'s> {
    fn new(scene: &'s Scene, team: &'static str) -> Self {
        Self { scene, team, session: scene.stack.mint(&json!({"team": team})).unwrap() }
    }

    fn request(&self, path: &str, through: &str) -> String {
        let Self { scene, team, session } = self;
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nX-Leasehold-Session: {session}\r\nX-Owner: {team}\r\n\
             X-Through: {through}\r\n\r\n",
            scene.at(API)
        )
    }

    fn ask(&self, edge: SocketAddr, path: &str) -> Reply {
        guest::plain(edge, self.request(path, "")).unwrap()
    }
}

/// Each request that arrived has the credential of the team that sent it; how many each team sent.
#[track_caller]
fn assert_own_credentials(scene: &Scene) -> [usize; 2] {
    let seen = scene.stack.origin().unwrap().record().all();
    TEAMS.map(|team| {
        let own = seen.iter().filter(|seen| seen.values("x-owner") == [team.as_bytes()]);
        for request in own.clone() {
            let is_own = request.authorization() == Some(bearer(team).into_bytes());
            assert!(is_own, "a request of {team} arrived without its own credential: {request:?}");
        }
        own.count()
    })
}

/// Ends the guests, also where what they are to watch has failed.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Guests of both teams at `edge` while `meanwhile` runs, on kept connections and on new ones; what they were
/// answered beside the origin's 200 and 401.
fn under_load(scene: &Scene, edge: SocketAddr, meanwhile: impl FnOnce(&AtomicUsize)) -> Vec<Reply> {
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let visit = |guest: &Guest<'_>, number: usize| {
        let mut others = Vec::new();
        while !over.load(Ordering::SeqCst) {
            let mut wire = Wire::new(guest::dial(edge).unwrap());
            // Every other guest keeps its connection, and with it a listener that drains.
            for turn in 0..if number.is_multiple_of(2) { 4 } else { 400 } {
                let path = if turn % 4 == 3 { REFUSED } else { MODELS };
                let Ok(reply) = wire.exchange(guest.request(path, "")) else { break };
                answered.fetch_add(1, Ordering::SeqCst);
                if verdict(&reply) != (if path == MODELS { 200 } else { 401 }, None) {
                    others.push(reply);
                }
                if over.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
        others
    };
    thread::scope(|scope| {
        let visit = &visit;
        let guests: Vec<_> = (0..GUESTS)
            .flat_map(|number| TEAMS.map(|team| (number, Guest::new(scene, team))))
            .map(|(number, guest)| scope.spawn(move || visit(&guest, number)))
            .collect();
        let ending = Ending(&over);
        meanwhile(&answered);
        drop(ending);
        guests.into_iter().flat_map(|guest| guest.join().unwrap()).collect()
    })
}

/// Waits for as many answers more.
fn wait_for(more: usize, answered: &AtomicUsize) {
    let until = answered.load(Ordering::SeqCst) + more;
    wait_until("the guests are answered", || answered.load(Ordering::SeqCst) >= until);
}

/// Takes the `vm_id` out of the filter of this name.
fn forget_vm_id(value: &mut Value, filter: &str) {
    match value {
        Value::Object(fields) => {
            if fields.get("name").is_some_and(|name| name == filter)
                && let Some(vm) = fields.get_mut("vm_config")
            {
                vm.as_object_mut().unwrap().remove("vm_id").unwrap();
            }
            fields.values_mut().for_each(|field| forget_vm_id(field, filter));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| forget_vm_id(item, filter)),
        _ => {}
    }
}

/// Three listeners in front of one cluster: as shipped, and with the `vm_id` of one filter forgotten.
#[test]
fn attempt_in_another_vm_than_its_judge_is_denied() {
    let scene = Scene::start(builder());
    let mut settings = scene.stack.settings().clone();
    with_attempts(&mut settings);
    let mut config: Value = serde_json::from_str(&settings.render().unwrap()).unwrap();
    let listeners = config["static_resources"]["listeners"].as_array_mut().unwrap();
    for (name, filter) in [("judge", "leasehold"), ("attempts", "leasehold_attempts")] {
        let mut listener = listeners[0].clone();
        listener["name"] = json!(name);
        listener["address"]["socket_address"]["port_value"] = json!(0);
        forget_vm_id(&mut listener, filter);
        listeners.push(listener);
    }
    let folder = tempfile::tempdir().unwrap();
    let envoy = start(&scene, &config.to_string(), 2, folder.path());
    let listeners = envoy.admin().listeners().unwrap();
    let broken = ["judge", "attempts"].map(|name| (name, listeners[name]));
    let own = under_load(&scene, envoy.listen_address(), |answered| {
        thread::scope(|scope| {
            for (name, listener) in broken {
                for team in TEAMS {
                    let scene = &scene;
                    scope.spawn(move || {
                        let guest = Guest::new(scene, team);
                        for path in [MODELS, REFUSED].repeat(12) {
                            let reply = guest::plain(listener, guest.request(path, name)).unwrap();
                            let expected = (503, Some("not_configured".to_owned()));
                            assert_eq!(verdict(&reply), expected, "{name}, {team}, {path}");
                        }
                    });
                }
            }
        });
        wait_for(40, answered);
    });
    assert!(own.is_empty(), "the listener as shipped: {own:?}");
    let seen = scene.stack.origin().unwrap().record().all();
    for request in seen {
        assert_eq!(request.values("x-through"), [b""], "{request:?}");
    }
    let arrived = assert_own_credentials(&scene);
    assert!(arrived.iter().all(|count| *count >= 10), "{arrived:?}");
    envoy.stop().unwrap();
}
