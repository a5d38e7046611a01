//! A lease is used as long as it lives, for what it was granted, and not a second or a method more.

use serde_json::json;
use stack::Answer;
use stack::policy::ORIGIN_PORT;
use stack::sessions::now;
use tests::guest::Tls;
use tests::reply::Reply;
use tests::scene::{API, Scene};
use tests::wire::Wire;

use super::{TIMEOUT, lease_until};
use crate::wide::{self, TWIN, assert_leased, new_session, wait_until};

/// Each worker of the edge has a cache of its own.
const WORKERS: u64 = 2;

#[test]
fn one_callout_serves_many_requests() {
    let scene = wide::scene(TIMEOUT);
    let mut wire = tunnel(&scene, API, &scene.session);
    for number in 0..50 {
        let reply = wire.exchange(scene.get(API, &format!("/v1/{number}"))).unwrap();
        assert_leased(&scene, "one tunnel", &reply);
    }
    assert_eq!((scene.asked(), scene.arrived()), (1, 50));
    for _ in 0..20 {
        let reply = scene.inside(API, scene.get(API, "/v1/tunnels")).unwrap();
        assert_leased(&scene, "many tunnels", &reply);
    }
    assert!(scene.asked() <= WORKERS, "{} callouts", scene.asked());
    assert_eq!(scene.arrived(), 70);
}

/// The lease lives two seconds. Whether a request was before or after its end is told by the clock
/// on both sides of the request; one that straddles it says nothing.
#[test]
fn a_lease_dies_at_its_expiry() {
    let mut scene = wide::scene(TIMEOUT);
    let expires_at = now() + 2;
    scene.stack.fake_custody(Answer::json(200, &lease_until(expires_at))).unwrap();
    let mut wire = tunnel(&scene, API, &scene.session);
    let mut request = || wire.exchange(scene.get(API, "/v1/short")).unwrap();
    let mut requests = 0;
    wait_until("the lease expires", || {
        let reply = request();
        if now() < expires_at {
            assert_leased(&scene, "while it lives", &reply);
            assert_eq!(scene.asked(), 1);
        }
        requests += 1;
        now() >= expires_at
    });
    assert!(requests > 1, "the lease was never used a second time");
    // From here on the old lease is never used; custody still offers the same, now expired.
    let arrived = scene.arrived();
    let asked = scene.asked();
    for number in 1..=5 {
        let reply = request();
        assert_eq!((reply.status, reply.reason()), (502, Some("lease_expired".to_owned())));
        assert_eq!((scene.arrived(), scene.asked()), (arrived, asked + number));
    }
    scene.stack.start_custody().unwrap();
    let reply = scene.inside(API, scene.get(API, "/v1/short")).unwrap();
    assert_leased(&scene, "the next good one", &reply);
}

#[test]
fn a_lease_is_for_one_session_one_method_and_one_destination() {
    let scene = wide::scene(TIMEOUT);
    let (first, second) = (new_session(&scene), new_session(&scene));
    // All on one worker: there is only one of it.
    let mut wire = tunnel(&scene, API, &first);
    let mut asked = 0;
    for (method, costs) in
        [("GET", 1), ("GET", 0), ("HEAD", 1), ("POST", 1), ("GET", 0), ("HEAD", 0), ("POST", 0)]
    {
        let head = format!("{method} /v1 HTTP/1.1\r\nHost: {}\r\n", scene.at(API));
        let reply = wire.exchange(format!("{head}Content-Length: 0\r\n\r\n")).unwrap();
        assert_leased(&scene, method, &reply);
        asked += costs;
        assert_eq!(scene.asked(), asked, "{method}");
    }
    // Another session, and the same session for another host with the same credential: neither has
    // a lease on any worker.
    for (case, host, session) in [("session", API, &second), ("destination", TWIN, &first)] {
        let reply = tunnel(&scene, host, session).exchange(scene.get(host, "/v1")).unwrap();
        assert_leased(&scene, case, &reply);
        asked += 1;
        assert_eq!(scene.asked(), asked, "{case}");
    }
}

/// What custody grants for GET does not serve a POST, though the edge's policy would let it.
#[test]
fn a_lease_for_one_method_does_not_serve_another() {
    let grant = json!({
        "handle": "api",
        "destinations": [format!("{API}:{ORIGIN_PORT}")],
        "claims": {"team": ["demo"]},
        "methods": ["GET"],
    });
    let scene = Scene::start(wide::builder(TIMEOUT).grants(vec![grant]));
    let mut wire = tunnel(&scene, API, &scene.session);
    assert_leased(&scene, "GET", &wire.exchange(scene.get(API, "/v1")).unwrap());
    let post = format!("POST /v1 HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", scene.at(API));
    let reply: Reply = wire.exchange(post).unwrap();
    assert_eq!((reply.status, reply.reason()), (403, Some("custody_refused".to_owned())));
    assert_eq!(scene.arrived(), 1);
}

fn tunnel(scene: &Scene, host: &str, session: &str) -> Wire<Tls> {
    Wire::new(scene.tls_with(&scene.at(host), Some(host), session).unwrap())
}
