//! A stack with a wide allow-list: what goes through, and what custody does about it, is under
//! test here, and not who may go where.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::origin::OriginSettings;
use stack::policy::ORIGIN_PORT;
use stack::{Credential, Stack, StackBuilder};
use tests::reply::Reply;
use tests::scene::{API, LEASED, OPEN, SECRET, Scene};

/// A second listed host, with the same credential as [`API`].
pub const TWIN: &str = "twin.demo.test";

/// Far longer than anything takes on a busy machine; what is not there then never comes.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that has no way of telling us.
const POLL: Duration = Duration::from_millis(5);

/// [`API`] and [`TWIN`] with the same credential and [`OPEN`] with none: every path, for team
/// `demo`. The filter waits `timeout` for custody.
pub fn policy(timeout: &str) -> Value {
    let methods = ["GET", "HEAD", "POST", "PUT"];
    let allow = json!([{"methods": methods, "paths": ["/**"], "upgrades": ["websocket"]}]);
    let destination = |name: &str, host: &str| {
        json!({
            "name": name,
            "hosts": [host],
            "ports": [ORIGIN_PORT],
            "allow": allow,
            "sessions": {"claims": {"team": ["demo"]}},
        })
    };
    let mut destinations =
        [destination("api", API), destination("twin", TWIN), destination("open", OPEN)];
    destinations[0]["credential"] = json!({"handle": "api"});
    destinations[1]["credential"] = json!({"handle": "api"});
    let custody = json!({
        "cluster": stack::policy::CUSTODY_CLUSTER,
        "authority": stack::policy::CUSTODY_AUTHORITY,
        "timeout": timeout,
    });
    json!({"destinations": destinations, "custody": custody})
}

/// A stack with [`policy`].
pub fn builder(timeout: &str) -> StackBuilder {
    Stack::builder()
        .policy(policy(timeout))
        .origin(OriginSettings::new([API, TWIN, OPEN]))
        .credential(Credential::bearer("api", SECRET))
}

pub fn scene(timeout: &str) -> Scene {
    Scene::start(builder(timeout))
}

/// A session of a guest of its own, so that nothing is cached for it.
pub fn new_session(scene: &Scene) -> String {
    scene.stack.mint(&json!({"team": "demo"})).unwrap()
}

/// The answer and the origin agree that the request went through with custody's credential.
#[track_caller]
pub fn assert_leased(scene: &Scene, case: &str, reply: &Reply) {
    assert_eq!((reply.status, reply.reason()), (200, None), "{case}: {}", reply.text());
    let seen = scene.stack.origin().unwrap().record().last().unwrap();
    assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{case}");
    assert!(!shown(reply).contains(SECRET), "{case}: the response holds the lease");
}

/// All of a response as one text.
pub fn shown(reply: &Reply) -> String {
    let headers = reply.headers.iter();
    let lines =
        headers.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value)));
    lines.chain([reply.text()]).collect()
}

/// Waits until `there` says so.
#[track_caller]
pub fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let since = Instant::now();
    while !there() {
        assert!(since.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(POLL);
    }
}

/// The value of one of Envoy's counters or gauges.
pub fn stat(scene: &Scene, name: &str) -> u64 {
    scene.stack.envoy().unwrap().admin().stat(name).unwrap()
}

/// The real custody, stopped in its tracks (SIGSTOP): it takes connections, for the kernel does
/// that, and says nothing until this is dropped.
pub struct Frozen(u32);

// === impl Frozen ===

impl Frozen {
    pub fn custody(scene: &Scene) -> Self {
        let pid = scene.stack.custody_pid().expect("the real custody is running");
        signal(pid, rustix::process::Signal::STOP);
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.0, rustix::process::Signal::CONT);
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Runs a program to its end; standard output if it succeeded.
///
/// # Panics
/// It cannot be started or fails; with what it wrote.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(std::process::Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
