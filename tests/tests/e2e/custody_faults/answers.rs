//! Well-formed HTTP with the wrong thing in it.

use serde_json::{Value, json};
use stack::Answer;
use stack::sessions::now;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::scene::Scene;

use super::{
    FAULTY, TIMEOUT, answered, fails, get, lease, lease_until, works, works_with_the_real_one,
};
use crate::wide;

const MALFORMED: (u16, &str) = (502, "lease_malformed");
const HEADER: (u16, &str) = (502, "lease_header");
const ANSWER: (u16, &str) = (502, "custody_answer");

/// Longer than a lease may live, in seconds.
const CEILING: u64 = 900;

#[test]
fn a_lease_that_is_none() {
    let mut scene = wide::scene(TIMEOUT);
    let changed = |field: &str, value: Value| {
        let mut changed = faulty("authorization", FAULTY);
        changed[field] = value;
        Answer::json(200, &changed)
    };
    let mut without_expiry = faulty("authorization", FAULTY);
    without_expiry.as_object_mut().unwrap().remove("expires_at");
    let mut without_id = faulty("authorization", FAULTY);
    without_id.as_object_mut().unwrap().remove("lease_id");
    let text = |body: &str| Answer::text(200, "application/json", body.replace("X", FAULTY));
    let no_expiry = (502, "lease_no_expiry");
    for (case, answer, refusal) in [
        ("no expiry", Answer::json(200, &without_expiry), no_expiry),
        ("an expiry of null", changed("expires_at", Value::Null), no_expiry),
        ("an expiry in words", changed("expires_at", json!("2099-01-01T00:00:00Z")), MALFORMED),
        ("a negative expiry", changed("expires_at", json!(-1)), MALFORMED),
        ("half a second", changed("expires_at", json!(4_102_444_800.5)), MALFORMED),
        ("an expiry of zero", changed("expires_at", json!(0)), (502, "lease_expired")),
        ("expired an hour ago", changed("expires_at", json!(now() - 3600)), (502, "lease_expired")),
        ("expires now", changed("expires_at", json!(now())), (502, "lease_expired")),
        (
            "expires in milliseconds",
            changed("expires_at", json!(now() * 1000)),
            (502, "lease_too_long"),
        ),
        ("for ever", changed("expires_at", json!(u64::MAX)), (502, "lease_too_long")),
        ("for an hour", changed("expires_at", json!(now() + 3600)), (502, "lease_too_long")),
        ("no headers", changed("headers", json!([])), MALFORMED),
        ("headers of null", changed("headers", Value::Null), MALFORMED),
        ("headers as an object", changed("headers", json!({"authorization": FAULTY})), MALFORMED),
        ("another binding", changed("binding", json!("single_use")), (502, "lease_binding")),
        ("an unknown binding", changed("binding", json!("for_everybody")), MALFORMED),
        ("no id", Answer::json(200, &without_id), MALFORMED),
        ("an id of two lines", changed("lease_id", json!("a\nb")), MALFORMED),
        ("nothing", text(""), MALFORMED),
        ("not JSON", text("lease: X"), MALFORMED),
        (
            "half of it",
            text(r#"{"lease_id": "a", "headers": [{"name": "authorization", "value": "X"#),
            MALFORMED,
        ),
        ("a list", text(r#"["X"]"#), MALFORMED),
        ("a page", Answer::text(200, "text/html", "<html>sign in</html>"), MALFORMED),
        ("bytes", Answer::text(200, "application/json", vec![0xff, 0, 0xfe]), MALFORMED),
    ] {
        answered(&mut scene, case, answer, refusal);
    }
    nowhere_in_the_logs(&scene);
    works_with_the_real_one(&mut scene, "leases that are none");
}

#[test]
fn a_lease_whose_header_can_not_be_written() {
    let mut scene = wide::scene(TIMEOUT);
    for (name, value) in [
        ("authorization", format!("{FAULTY}\r\nX-Injected: 1")),
        ("authorization", format!("{FAULTY}\n")),
        ("authorization", format!("\r{FAULTY}")),
        ("authorization", format!("{FAULTY}\0")),
        ("authorization", format!("{FAULTY}\x1b[31m")),
        ("authorization", String::new()),
        ("authorization", format!("{FAULTY}{}", "a".repeat(16 * 1024))),
        ("Host", FAULTY.to_owned()),
        ("host", FAULTY.to_owned()),
        (":authority", FAULTY.to_owned()),
        (":path", FAULTY.to_owned()),
        ("connection", FAULTY.to_owned()),
        ("transfer-encoding", "chunked".to_owned()),
        ("content-length", "0".to_owned()),
        ("te", FAULTY.to_owned()),
        ("upgrade", "websocket".to_owned()),
        ("proxy-authorization", FAULTY.to_owned()),
        ("x-envoy-retry-on", "5xx".to_owned()),
        ("", FAULTY.to_owned()),
        ("a b", FAULTY.to_owned()),
        ("a\r\nb", FAULTY.to_owned()),
    ] {
        let case = format!("{name:?}: {value:.40?}");
        answered(&mut scene, &case, Answer::json(200, &faulty(name, &value)), HEADER);
        // One bad header spoils the lease, whatever stands beside it.
        let mut two = lease(60);
        two["headers"].as_array_mut().unwrap().push(json!({"name": name, "value": value}));
        answered(&mut scene, &case, Answer::json(200, &two), HEADER);
    }
    nowhere_in_the_logs(&scene);
    works_with_the_real_one(&mut scene, "headers that can not be written");
}

/// To the second. The clock may turn between the answer's making and its judging, so what was said
/// counts only if it did not.
#[test]
fn the_ceiling_is_nine_hundred_seconds() {
    let mut scene = wide::scene(TIMEOUT);
    for (seconds, refused) in [(CEILING + 1, true), (CEILING, false)] {
        let (reply, arrived) = loop {
            // Of a guest of its own, or the lease of a try before would answer.
            let session = wide::new_session(&scene);
            let before = well_within_a_second();
            scene.stack.fake_custody(Answer::json(200, &lease_until(before + seconds))).unwrap();
            let arrived = scene.arrived();
            let reply = get(&scene, &session).unwrap();
            if now() == before {
                break (reply, scene.arrived() - arrived);
            }
        };
        if refused {
            assert_eq!((reply.status, reply.reason()), (502, Some("lease_too_long".to_owned())));
            assert_eq!(arrived, 0);
        } else {
            wide::assert_leased(&scene, "900 s", &reply);
        }
    }
}

/// The second it is, a little after its beginning: the filter reckons the wall clock from its last
/// tick, and may be some milliseconds behind.
fn well_within_a_second() -> u64 {
    loop {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        if (50..500).contains(&time.subsec_millis()) {
            return time.as_secs();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_status_outside_the_contract() {
    let mut scene = wide::scene(TIMEOUT);
    let good = faulty("authorization", FAULTY);
    for status in [201, 202, 204, 206, 301, 302, 400, 401, 403, 404, 418, 429, 500, 502] {
        // A good lease under a bad status is no lease.
        answered(&mut scene, &status.to_string(), Answer::json(status, &good), ANSWER);
        let page = Answer::text(status, "text/html", "<html>no</html>");
        answered(&mut scene, &format!("{status} and a page"), page, ANSWER);
    }
    for (status, refusal) in [(503, (503, "custody_unavailable")), (504, (503, "custody_timeout"))]
    {
        answered(&mut scene, &status.to_string(), Answer::json(status, &good), refusal);
    }
    nowhere_in_the_logs(&scene);
    works_with_the_real_one(&mut scene, "bad statuses");
}

#[test]
fn the_refusals_of_the_contract() {
    let mut scene = wide::scene(TIMEOUT);
    for (status, code, refusal) in [
        (400, "bad_request", ANSWER),
        (401, "session_refused", (403, "custody_refused")),
        (403, "not_granted", (403, "custody_refused")),
        (409, "replay_rejected", (409, "replay_rejected")),
        (429, "rate_limited", (429, "custody_rate_limited")),
        (503, "unavailable", (503, "custody_unavailable")),
        // A code that does not go with its status is not custody's.
        (403, "rate_limited", ANSWER),
        (429, "not_granted", ANSWER),
        (403, "because_of_bob", ANSWER),
        (200, "not_granted", MALFORMED),
    ] {
        let case = format!("{status} {code}");
        answered(&mut scene, &case, Answer::json(status, &json!({"code": code})), refusal);
    }
    works_with_the_real_one(&mut scene, "refusals");
}

#[test]
fn an_answer_that_is_too_large() {
    let mut scene = wide::scene("5s");
    for size in [65 * 1024, 1 << 20, 20 << 20] {
        let mut body = faulty("authorization", FAULTY);
        body["padding"] = "p".repeat(size).into();
        let case = format!("{size} bytes");
        answered(&mut scene, &case, Answer::json(200, &body), ANSWER);
    }
    nowhere_in_the_logs(&scene);
    works_with_the_real_one(&mut scene, "answers that are too large");
}

/// The real custody's own no: a session the edge lets pass, and custody's grants do not.
#[test]
fn the_real_custody_refuses() {
    let grant = json!({
        "handle": "api",
        "destinations": [format!("{}:{}", tests::scene::API, stack::policy::ORIGIN_PORT)],
        "claims": {"team": ["another"]},
    });
    let mut scene = Scene::start(wide::builder(TIMEOUT).grants(vec![grant]));
    fails(&scene, "no grant", (403, "custody_refused"));
    scene.stack.fake_custody(Answer::json(200, &lease(60))).unwrap();
    works(&scene, "no grant");
}

/// A lease that would be good, but for what a test changes in it.
fn faulty(name: &str, value: &str) -> Value {
    let mut lease = lease(60);
    lease["headers"] = json!([{"name": name, "value": value}]);
    lease
}

/// What a bad lease held is told to nobody.
#[track_caller]
fn nowhere_in_the_logs(scene: &Scene) {
    let envoy = scene.stack.envoy().unwrap();
    for (name, log) in [("log", envoy.log().unwrap()), ("output", envoy.output().unwrap())] {
        assert!(!log.is_empty());
        assert!(!log.contains(FAULTY), "Envoy's {name} holds the value of a lease");
    }
}
