//! Custody that is gone, silent, cut off, or in somebody else's hands.

use std::time::Duration;

use serde_json::json;
use stack::Answer;

use super::{
    END, TIMEOUT, answered, fails, fails_by_one_of, get, lease, works, works_with_the_real_one,
};
use crate::wide::{self, Frozen, wait_until};

const UNAVAILABLE: (u16, &str) = (503, "custody_unavailable");
const SILENT: (u16, &str) = (503, "custody_timeout");

#[test]
fn custody_gone_and_back() {
    let mut scene = wide::scene(TIMEOUT);
    works(&scene, "nothing yet");
    scene.stack.kill_custody();
    fails(&scene, "killed", UNAVAILABLE);
    fails(&scene, "still gone", UNAVAILABLE);
    works_with_the_real_one(&mut scene, "killed");
    scene.stack.stop_custody();
    fails(&scene, "stopped", UNAVAILABLE);
    works_with_the_real_one(&mut scene, "stopped");
}

/// A session whose lease is cached does not need custody; a new one does.
#[test]
fn a_cached_lease_outlives_custody() {
    let mut scene = wide::scene(TIMEOUT);
    let mut wire = tests::wire::Wire::new(scene.tls(tests::scene::API).unwrap());
    let request = scene.get(tests::scene::API, "/v1/cached");
    wide::assert_leased(&scene, "before", &wire.exchange(&request).unwrap());
    scene.stack.kill_custody();
    wide::assert_leased(&scene, "after", &wire.exchange(&request).unwrap());
    fails(&scene, "killed", UNAVAILABLE);
    assert_eq!(scene.arrived(), 2);
}

#[test]
fn a_frozen_custody_is_a_refusal_in_time() {
    let mut scene = wide::scene(TIMEOUT);
    works(&scene, "nothing yet");
    let frozen = Frozen::custody(&scene);
    fails(&scene, "the real one, frozen", SILENT);
    drop(frozen);
    // A connection that was begun meanwhile may still run into its time-out, and whoever waits for
    // it with it.
    wait_until("custody is heard again", || {
        get(&scene, &wide::new_session(&scene)).unwrap().status == 200
    });
    works(&scene, "frozen");
    answered(&mut scene, "never answers", Answer::Stall, SILENT);
    works_with_the_real_one(&mut scene, "never answers");
}

/// An answer that comes too late is no answer: not for the request that waited, nor for the next.
#[test]
fn a_late_answer_is_not_used() {
    let mut scene = wide::scene(TIMEOUT);
    let late = Answer::json(200, &lease(60)).after(Duration::from_millis(1400));
    scene.stack.fake_custody(late).unwrap();
    let session = wide::new_session(&scene);
    let reply = get(&scene, &session).unwrap();
    assert_eq!((reply.status, reply.reason()), (503, Some("custody_timeout".to_owned())));
    let refused = Answer::json(403, &json!({"code": "not_granted"}));
    let asked = scene.stack.fake_custody(refused).unwrap().asked().len();
    let since = std::time::Instant::now();
    // Past the moment at which the late answer would have come.
    while since.elapsed() < Duration::from_millis(1000) {
        let reply = get(&scene, &session).unwrap();
        assert_eq!((reply.status, reply.reason()), (403, Some("custody_refused".to_owned())));
    }
    assert!(scene.stack.fake_custody(Answer::Stall).unwrap().asked().len() > asked);
    assert_eq!(scene.arrived(), 0);
    works_with_the_real_one(&mut scene, "a late answer");
    assert!(since.elapsed() < END);
}

#[test]
fn custody_breaks_off() {
    let mut scene = wide::scene(TIMEOUT);
    answered(&mut scene, "closes the connection", Answer::Close, UNAVAILABLE);
    // Whether Envoy reads what came before the connection broke is the kernel's choice: it may be a
    // broken answer or no answer.
    let broken = [UNAVAILABLE, (502, "custody_answer")];
    for (case, bytes, refusals) in [
        ("garbage", &b"\x00\xff\x17garbage, and not HTTP at all\r\n\r\n"[..], &broken[..]),
        ("an HTTP/1.1 answer", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", &broken),
        ("half of an h2 frame", b"\x00\x00\x12\x04\x00\x00", &broken),
        ("nothing", b"", &broken[..1]),
    ] {
        scene.stack.fake_custody(Answer::Bytes(bytes.to_vec())).unwrap();
        fails_by_one_of(&scene, case, refusals);
        scene.stack.fake_custody(Answer::json(200, &lease(60))).unwrap();
        works(&scene, case);
    }
    works_with_the_real_one(&mut scene, "broken connections");
}

/// The edge names a cluster that is not there.
#[test]
fn no_route_to_custody() {
    let mut scene = wide::scene(TIMEOUT);
    let rename = |scene: &mut tests::scene::Scene, cluster: &str| {
        let change = |settings: &mut stack::envoy::EdgeSettings| {
            settings.plugin["custody"]["cluster"] = cluster.into();
        };
        scene.stack.restart_edge(change).unwrap();
    };
    rename(&mut scene, "nowhere");
    fails(&scene, "an unknown cluster", (503, "custody_unknown_cluster"));
    rename(&mut scene, stack::policy::CUSTODY_CLUSTER);
    works(&scene, "an unknown cluster");
}
