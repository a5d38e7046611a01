//! `envoy/variants/retry.yaml`: a request whose credential was refused is tried again with another one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::json;
use stack::Credential;
use tests::scene::{API, LEASED, OPEN, Scene};
use tests::wire::Wire;

use crate::operations::settled;
use crate::wide::{self, PATIENCE, assert_leased, new_session, wait_until};

const ROTATED: &str = "rotated-secret-8d21f0";
const GUESTS: usize = 4;
/// Requests of each guest, at least, before and after the credential is another one.
const ENOUGH: usize = 25;

fn scene() -> Scene {
    let mut scene = Scene::start(wide::builder("10s"));
    scene
        .stack
        .restart_edge(|edge| {
            edge.retry = true;
            edge.plugin["inject"] = json!("upstream");
        })
        .unwrap();
    scene
}

#[test]
fn a_credential_rotated_under_load_fails_nobody() {
    let scene = scene();
    let record = scene.stack.origin().unwrap().record();
    let rotated = format!("Bearer {ROTATED}");
    record.accept_only(&[LEASED, &rotated]);
    let (answered, stop): ([AtomicUsize; GUESTS], _) = Default::default();
    let all_past = |count: usize| answered.iter().all(|own| own.load(Ordering::Relaxed) >= count);
    let failures = thread::scope(|scope| {
        let guests: Vec<_> =
            answered.iter().map(|own| scope.spawn(|| ask_on(&scene, own, &stop))).collect();
        wait_until("all guests are served", || all_past(ENOUGH));
        // Both are good for a while, as issuers do it; then the old one is not.
        scene.stack.custody().put(&Credential::bearer("api", ROTATED)).unwrap();
        record.accept_only(&[&rotated]);
        let then: Vec<_> = answered.iter().map(|own| own.load(Ordering::Relaxed)).collect();
        wait_until("all guests are served with the new one", || {
            let mut own = answered.iter().zip(&then);
            own.all(|(now, then)| now.load(Ordering::Relaxed) >= then + ENOUGH)
        });
        stop.store(true, Ordering::Relaxed);
        guests.into_iter().flat_map(|guest| guest.join().unwrap()).collect::<Vec<u16>>()
    });
    let requests: usize = answered.iter().map(|own| own.load(Ordering::Relaxed)).sum();
    assert!(failures.is_empty(), "{failures:?} of {requests} requests");
    let last = record.last().unwrap().authorization();
    assert_eq!(last.as_deref(), Some(rotated.as_bytes()));
    // Not for want of refusals: the origin turned down what the edge had kept.
    wait_until("custody hears of a refusal", || !settled(&scene).is_empty());
    let told = settled(&scene);
    assert!(told.iter().all(|(_, code)| code.as_deref() == Some("upstream_401")), "{told:?}");
}

/// Asks until it is to stop, or the test has long failed; every status that was not 200.
fn ask_on(scene: &Scene, answered: &AtomicUsize, stop: &AtomicBool) -> Vec<u16> {
    let session = new_session(scene);
    let tls = scene.tls_with(&scene.at(API), Some(API), &session).unwrap();
    let mut wire = Wire::new(tls);
    let mut failures = Vec::new();
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) && begun.elapsed() < 3 * PATIENCE {
        let reply = wire.exchange(scene.get(API, "/v1/load")).unwrap();
        if reply.status != 200 {
            failures.push(reply.status);
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    failures
}

#[test]
fn a_credential_that_stays_refused_is_tried_twice_and_the_answer_is_the_upstreams() {
    let scene = scene();
    let reply = scene.inside(API, scene.get(API, "/status/401")).unwrap();
    assert_eq!((reply.status, reply.reason()), (401, None));
    assert_eq!(scene.stack.origin().unwrap().record().count_of("/status/401"), 2);
}

#[test]
fn what_is_judged_is_judged_in_front_of_the_router_as_ever() {
    let scene = scene();
    assert_leased(&scene, "a lease", &scene.inside(API, scene.get(API, "/v1")).unwrap());
    assert_leased(&scene, "the same lease", &scene.inside(API, scene.get(API, "/v1")).unwrap());
    let own =
        format!("GET /v1 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer own\r\n\r\n", scene.at(API));
    assert_leased(&scene, "its own", &scene.inside(API, own).unwrap());
    assert!(scene.asked() <= 2, "a worker, a lease");
    scene.accepts("no credential", || scene.inside(OPEN, scene.get(OPEN, "/v1")));
    let unlisted = format!("DELETE /v1 HTTP/1.1\r\nHost: {}\r\n\r\n", scene.at(API));
    scene.refuses("not listed", (403, "method_not_allowed"), || scene.inside(API, unlisted));
}
