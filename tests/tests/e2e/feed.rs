//! The real custody tells of revocations, and every worker of the real edge heeds it.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use stack::envoy::running::WORKERS;
use stack::sessions::now;
use stack::{StackBuilder, Way};
use tests::guest;
use tests::reply::Reply;
use tests::scene::{API, OPEN, Scene};
use tests::wire::Wire;

use crate::wide::{self, stat, wait_until};

type Connection = Wire<std::net::TcpStream>;

/// The kernel spreads connections over the workers; with so many, each has some.
const CONNECTIONS: usize = 12;
/// Between two requests of a session that is in use.
const NOW_AND_THEN: Duration = Duration::from_secs(1);
/// Seconds without news that are too many: the fewest that may be.
const MAX_STALENESS: u64 = 11;

fn builder() -> StackBuilder {
    let mut policy = wide::policy("2s");
    policy["custody"]["sync"] = json!({"wait": "1s", "max_staleness": format!("{MAX_STALENESS}s")});
    wide::builder("2s").way(Way::Gateway).policy(policy)
}

/// A guest's connections to all workers.
fn connections(scene: &Scene) -> Vec<Connection> {
    let connections: Vec<_> =
        (0..CONNECTIONS).map(|_| Wire::new(guest::dial(scene.edge()).unwrap())).collect();
    let address = scene.edge();
    for worker in 0..WORKERS {
        let name = format!("listener.{}_{}", address.ip(), address.port());
        let active = format!("{name}.worker_{worker}.downstream_cx_active");
        wait_until("a connection on each worker", || stat(scene, &active) > 0);
    }
    connections
}

fn ask(scene: &Scene, connection: &mut Connection, host: &str, session: &str) -> Reply {
    let host = scene.at(host);
    let request =
        format!("GET /v1/feed HTTP/1.1\r\nHost: {host}\r\nX-Leasehold-Session: {session}\r\n\r\n");
    connection.exchange(request).unwrap()
}

/// Every connection comes to this: `None` is let through.
#[track_caller]
fn everywhere(
    scene: &Scene,
    connections: &mut [Connection],
    (host, session): (&str, &str),
    reason: Option<&str>,
) {
    for (n, connection) in connections.iter_mut().enumerate() {
        wait_until(&format!("connection {n}: {reason:?}"), || {
            ask(scene, connection, host, session).reason().as_deref() == reason
        });
    }
    for connection in connections {
        let reply = ask(scene, connection, host, session);
        assert_eq!(reply.reason().as_deref(), reason, "{host}: and stays so");
        assert_eq!(reply.status == 200, reason.is_none(), "{host}: {}", reply.text());
    }
}

fn operate(scene: &Scene, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    serde_json::from_str(&scene.stack.custody().operate(&arguments).unwrap()).unwrap()
}

fn named(scene: &Scene, id: &str) -> String {
    scene.stack.mint(&json!({"team": "demo", "jti": id})).unwrap()
}

#[test]
fn what_an_operator_revokes_is_denied_on_every_worker_until_it_is_restored() {
    let scene = Scene::start(builder());
    let mut guests = connections(&scene);
    let (one, other) = (named(&scene, "feed-one"), named(&scene, "feed-other"));
    for session in [&one, &other] {
        everywhere(&scene, &mut guests, (API, session), None);
    }
    for (kind, id, reason) in
        [("session", "feed-one", "session_revoked"), ("handle", "api", "handle_revoked")]
    {
        operate(&scene, &["revoke", kind, id]);
        everywhere(&scene, &mut guests, (API, &one), Some(reason));
        // What else there is goes on: others' sessions, or what takes no credential.
        let fine = if kind == "session" { (API, other.as_str()) } else { (OPEN, one.as_str()) };
        everywhere(&scene, &mut guests, fine, None);
        operate(&scene, &["restore", kind, id]);
        everywhere(&scene, &mut guests, (API, &one), None);
    }
}

/// As a teardown of a large actor leaves them: the news come in one answer to those that listen, and
/// whole to an edge that starts.
#[test]
fn a_hundred_thousand_revoked_leases_do_not_hold_up_the_news_behind_them() {
    let mut scene = Scene::start(builder());
    let mut guests = connections(&scene);
    let (one, other) = (named(&scene, "feed-many"), named(&scene, "feed-fine"));
    for session in [&one, &other] {
        everywhere(&scene, &mut guests, (API, session), None);
    }
    revoke_many(&scene, 100_000);
    operate(&scene, &["revoke", "session", "feed-many"]);
    everywhere(&scene, &mut guests, (API, &one), Some("session_revoked"));
    everywhere(&scene, &mut guests, (API, &other), None);
    scene.stack.restart_edge(|_| ()).unwrap();
    let mut guests = connections(&scene);
    everywhere(&scene, &mut guests, (API, &one), Some("session_revoked"));
    everywhere(&scene, &mut guests, (API, &other), None);
}

/// So many revoked leases, straight into custody's ledger.
fn revoke_many(scene: &Scene, count: u64) {
    let ledger = rusqlite::Connection::open(scene.stack.custody().beside("custody.db")).unwrap();
    let until = now() + 900;
    ledger.busy_timeout(Duration::from_secs(10)).unwrap();
    let statement = format!(
        "BEGIN IMMEDIATE;
         CREATE TEMP TABLE many AS WITH RECURSIVE count(n) AS
             (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {count})
             SELECT n + (SELECT max(sequence) FROM change) AS sequence,
                 'crd_0123456789abcdef' || n AS name FROM count;
         INSERT INTO revocation (kind, name, at, until, by_whom, sequence)
             SELECT 'lease', name, {until} - 900, {until}, 'worker', sequence FROM many;
         INSERT INTO change (sequence, tag, what, kind, name, until)
             SELECT sequence, lower(hex(randomblob(16))), 'revoked', 'lease', name, {until}
             FROM many;
         COMMIT;"
    );
    ledger.execute_batch(&statement).unwrap();
}

/// The lease is not used again: each worker that held it asks for another, which custody gives.
#[test]
fn a_lease_that_is_revoked_is_not_used_again() {
    let scene = Scene::start(builder());
    let mut guests = connections(&scene);
    let session = named(&scene, "feed-lease");
    everywhere(&scene, &mut guests, (API, &session), None);
    let asked = scene.asked();
    let leases = operate(&scene, &["leases"]);
    let ids: Vec<_> = leases["leases"].as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), WORKERS, "a lease a worker: {leases}");
    for lease in ids {
        operate(&scene, &["revoke", "lease", lease["lease_id"].as_str().unwrap()]);
    }
    wait_until("every worker has asked anew", || {
        for connection in &mut guests {
            assert_eq!(ask(&scene, connection, API, &session).status, 200);
        }
        scene.asked() >= asked + WORKERS as u64
    });
}

#[test]
fn the_kill_switch_stops_everything_on_every_worker_and_lets_it_go_again() {
    let mut scene = Scene::start(builder());
    let mut guests = connections(&scene);
    let session = named(&scene, "feed-kill");
    everywhere(&scene, &mut guests, (API, &session), None);
    operate(&scene, &["kill", "on"]);
    for host in [API, OPEN] {
        everywhere(&scene, &mut guests, (host, &session), Some("kill_switch"));
    }
    // It survives a restart of custody's, and of the edge's after it.
    scene.stack.start_custody().unwrap();
    everywhere(&scene, &mut guests, (OPEN, &session), Some("kill_switch"));
    operate(&scene, &["kill", "off"]);
    for host in [API, OPEN] {
        everywhere(&scene, &mut guests, (host, &session), None);
    }
}

#[test]
fn without_custody_news_are_soon_too_old_and_the_edge_recovers_by_itself() {
    let mut scene = Scene::start(builder());
    let mut guests = connections(&scene);
    let session = named(&scene, "feed-stale");
    everywhere(&scene, &mut guests, (API, &session), None);
    scene.stack.stop_custody();
    let stopped = now();
    // The lease is there, and serves on for as long as the news are good.
    assert_eq!(ask(&scene, &mut guests[0], API, &session).status, 200);
    everywhere(&scene, &mut guests, (API, &session), Some("revocations_stale"));
    assert!(now() - stopped + 1 >= MAX_STALENESS - 1, "after {} s", now() - stopped);
    everywhere(&scene, &mut guests, (OPEN, &session), None);
    let age = "wasmcustom.leasehold.revocations.age_seconds";
    wait_until("the age is shown", || stat(&scene, age) >= MAX_STALENESS);
    scene.stack.start_custody().unwrap();
    everywhere(&scene, &mut guests, (API, &session), None);
    wait_until("the news are new", || stat(&scene, age) < MAX_STALENESS);
}

/// Another method needs another lease.
fn lease_anew(scene: &Scene, connection: &mut Connection, session: &str) -> Reply {
    let host = scene.at(API);
    let head = format!("HEAD /v1 HTTP/1.1\r\nHost: {host}\r\nX-Leasehold-Session: {session}");
    connection.exchange(format!("{head}\r\n\r\n")).unwrap()
}

/// Custody hears from the edge that a session is in use though it leases nothing, and that another is
/// not: the first goes on for longer than the limit, the second has ended.
#[test]
fn a_session_in_use_does_not_fall_asleep_and_one_that_is_not_does() {
    const IDLE: u64 = 30;
    /// The edge tells who is in use this often at least.
    const REPORT: u64 = 25;
    let limits = json!({"idle": format!("{IDLE}s")});
    let scene = Scene::start(builder().custody_session(limits));
    let mut guests = connections(&scene);
    let (awake, asleep) = (named(&scene, "feed-awake"), named(&scene, "feed-asleep"));
    for session in [&awake, &asleep] {
        assert_eq!(ask(&scene, &mut guests[0], API, session).status, 200);
    }
    let began = now();
    while now() - began <= IDLE + REPORT {
        // A lease lives for five minutes: custody is not asked for this.
        assert_eq!(ask(&scene, &mut guests[0], API, &awake).status, 200);
        thread::sleep(NOW_AND_THEN);
    }
    assert_eq!(lease_anew(&scene, &mut guests[0], &awake).status, 200);
    let refused = lease_anew(&scene, &mut guests[0], &asleep);
    assert_eq!(refused.reason().as_deref(), Some("custody_refused"));
}

/// Custody is down when the first report comes, after 20 s, and would have ended the session before the
/// second, after 40 s.
#[test]
fn the_report_of_a_session_in_use_is_lost_and_the_session_goes_on() {
    const IDLE: u64 = 33;
    let limits = json!({"idle": format!("{IDLE}s")});
    let mut scene = Scene::start(builder().custody_session(limits));
    let mut guests = connections(&scene);
    let session = named(&scene, "feed-lost");
    assert_eq!(ask(&scene, &mut guests[0], API, &session).status, 200);
    let began = now();
    let mut use_until = |scene: &Scene, seconds| {
        while now() - began <= seconds {
            // Custody is not asked for this.
            assert_eq!(ask(scene, &mut guests[0], OPEN, &session).status, 200);
            thread::sleep(NOW_AND_THEN);
        }
    };
    use_until(&scene, 7);
    scene.stack.stop_custody();
    use_until(&scene, 22);
    scene.stack.start_custody().unwrap();
    use_until(&scene, IDLE + 1);
    assert_eq!(lease_anew(&scene, &mut guests[0], &session).status, 200);
}

/// Whatever its tokens say: custody gives no lease that ends later.
#[test]
fn a_session_ends_with_its_absolute_limit() {
    const ABSOLUTE: u64 = 4;
    let limits = json!({"absolute": format!("{ABSOLUTE}s")});
    let scene = Scene::start(builder().custody_session(limits));
    let mut guests = connections(&scene);
    let began = now();
    let session = scene.stack.mint(&json!({"team": "demo", "auth_time": began})).unwrap();
    assert_eq!(ask(&scene, &mut guests[0], API, &session).status, 200);
    everywhere(&scene, &mut guests, (API, &session), Some("custody_refused"));
    assert!(now() >= began + ABSOLUTE, "{} s early", began + ABSOLUTE - now());
    everywhere(&scene, &mut guests, (OPEN, &session), None);
}
