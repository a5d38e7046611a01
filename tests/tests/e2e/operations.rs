//! Leases for one operation, and credentials that an upstream refuses: edge and custody together.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use serde_json::{Value, json};
use stack::origin::OriginSettings;
use stack::{Credential, Stack};
use tests::reply::Reply;
use tests::scene::{API, OPEN, SECRET, Scene};
use tests::wire::Wire;

use crate::wide::{self, TWIN, assert_leased, wait_until};

/// [`API`] leases for one operation each; on [`TWIN`] the body is part of it.
fn scene() -> Scene {
    let mut policy = wide::policy("10s");
    let once = json!({"handle": "api", "binding": "single_use"});
    policy["destinations"][0]["credential"] = once.clone();
    policy["destinations"][1]["credential"] = once;
    policy["destinations"][1]["credential"]["body_digest"] = json!(true);
    let builder = Stack::builder()
        .policy(policy)
        .origin(OriginSettings::new([API, TWIN, OPEN]))
        .credential(Credential::bearer("api", SECRET));
    Scene::start(builder)
}

fn post(scene: &Scene, host: &str, key: &str, body: &str) -> Reply {
    let head = format!("POST /v1/pay HTTP/1.1\r\nHost: {}\r\n", scene.at(host));
    let length = body.len();
    let request = format!("{head}Idempotency-Key: {key}\r\nContent-Length: {length}\r\n\r\n{body}");
    scene.inside(host, request).unwrap()
}

#[track_caller]
fn assert_replay(scene: &Scene, attempt: impl FnOnce() -> Reply) {
    let arrived = scene.arrived();
    let reply = attempt();
    assert_eq!((reply.status, reply.reason()), (409, Some("replay_rejected".to_owned())));
    assert_eq!(scene.arrived(), arrived, "it reached the origin");
}

/// What custody's audit log says became of leases, oldest first: outcome and failure code.
pub fn settled(scene: &Scene) -> Vec<(String, Option<String>)> {
    let log = fs::read_to_string(scene.stack.custody().beside("audit.jsonl")).unwrap();
    let records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    records
        .filter(|record| record["event"] == "lease_settled")
        .map(|record| (text(&record["reported"]).unwrap(), text(&record["failure_code"])))
        .collect()
}

fn delivered() -> (String, Option<String>) {
    ("delivered".to_owned(), None)
}

fn failed(code: &str) -> (String, Option<String>) {
    ("failed".to_owned(), Some(code.to_owned()))
}

#[test]
fn one_request_is_one_lease_and_its_repetition_none() {
    let scene = scene();
    assert_leased(&scene, "the first", &post(&scene, API, "order-7", ""));
    assert_replay(&scene, || post(&scene, API, "order-7", ""));
    assert_leased(&scene, "another", &post(&scene, API, "order-8", ""));
    let unnamed = || scene.inside(API, scene.get(API, "/v1/status")).unwrap();
    assert_leased(&scene, "without a name", &unnamed());
    assert_leased(&scene, "without a name, again", &unnamed());
    wait_until("custody hears of all four", || settled(&scene).len() == 4);
    assert_eq!(settled(&scene), vec![delivered(); 4]);
    let listed = leases(&scene);
    assert_eq!(listed.len(), 4);
    for lease in listed {
        assert_eq!(
            (&lease["binding"], &lease["outcome"]),
            (&json!("single_use"), &json!("delivered"))
        );
    }
}

#[test]
fn the_body_is_part_of_the_operation() {
    let scene = scene();
    let large = "x".repeat(60_000);
    assert_leased(&scene, "seven", &post(&scene, TWIN, "order-7", "{\"amount\":7}"));
    assert_replay(&scene, || post(&scene, TWIN, "order-7", "{\"amount\":7}"));
    assert_leased(&scene, "another body", &post(&scene, TWIN, "order-7", "{\"amount\":8}"));
    assert_leased(&scene, "a large one", &post(&scene, TWIN, "order-7", &large));
    assert_replay(&scene, || post(&scene, TWIN, "order-7", &large));
    let reply = post(&scene, TWIN, "order-9", &"x".repeat(65_537));
    assert_eq!((reply.status, reply.reason()), (413, Some("body_too_large".to_owned())));
}

/// The filter holds such a request until its body is there. A client that waits for a 100 would wait for ever.
#[test]
fn a_client_that_asks_first_is_told_to_send_the_body_at_once() {
    let scene = scene();
    let head = format!(
        "POST /v1/orders HTTP/1.1\r\nHost: {}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        scene.at(TWIN)
    );
    let begun = Instant::now();
    let reply = scene.inside(TWIN, head).unwrap();
    assert_eq!((reply.status, reply.reason()), (417, Some("expectation_failed".to_owned())));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_leased(&scene, "without Expect", &post(&scene, TWIN, "order-7", "hello"));
}

#[test]
fn a_guest_that_leaves_before_the_answer_is_told_of() {
    let scene = scene();
    let mut wire = Wire::new(scene.tls(API).unwrap());
    wire.send(scene.get(API, "/delay?ms=60000")).unwrap();
    wait_until("the origin has it", || scene.arrived() == 1);
    assert!(settled(&scene).is_empty());
    drop(wire);
    wait_until("custody hears of it", || !settled(&scene).is_empty());
    assert_eq!(settled(&scene), [failed("guest_gone")]);
}

#[test]
fn a_credential_that_the_upstream_refuses_is_told_of() {
    let scene = scene();
    let reply = scene.inside(API, scene.get(API, "/status/401")).unwrap();
    assert_eq!((reply.status, reply.reason()), (401, None));
    wait_until("custody hears of it", || !settled(&scene).is_empty());
    assert_eq!(settled(&scene), [failed("upstream_401")]);
}

/// One worker of the edge, so one cache: the tunnel stays.
#[test]
fn a_kept_credential_that_the_upstream_refuses_is_dropped_and_told_of() {
    let scene = wide::scene("10s");
    let mut wire = Wire::new(scene.tls(API).unwrap());
    let mut get = |path: &str| wire.exchange(scene.get(API, path)).unwrap();
    assert_leased(&scene, "fresh", &get("/v1"));
    assert_leased(&scene, "kept", &get("/v1"));
    assert_eq!(scene.asked(), 1);
    assert_eq!(get("/status/401").status, 401);
    wait_until("custody hears of it", || !settled(&scene).is_empty());
    assert_eq!(settled(&scene), [failed("upstream_401")]);
    assert_leased(&scene, "fresh again", &get("/v1"));
    assert_eq!(scene.asked(), 2);
    let outcomes: Vec<_> = leases(&scene).iter().map(|lease| lease["outcome"].clone()).collect();
    assert_eq!(outcomes, [Value::Null, json!("failed")], "the newest first");
}

/// What `custody leases` shows.
fn leases(scene: &Scene) -> Vec<Value> {
    let custody = scene.stack.custody();
    let admin = format!("https://{}", by_its_name(custody.admin().unwrap()));
    let mut command = Command::new(custody.program());
    command.args(["leases", "--all", "--json", "--admin", &admin]);
    let output = command.arg("--config").arg(custody.config()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    list["leases"].as_array().unwrap().clone()
}

/// An address that stands on custody's certificate, for one connection to one that does not.
fn by_its_name(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (here, _) = listener.accept().unwrap();
        let there = TcpStream::connect(address).unwrap();
        let [mut from, mut to] = [here.try_clone().unwrap(), there.try_clone().unwrap()];
        thread::spawn(move || io::copy(&mut from, &mut to));
        let [mut from, mut to] = [there, here];
        io::copy(&mut from, &mut to)
    });
    own
}
