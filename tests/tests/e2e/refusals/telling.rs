//! What a denial leaves behind: a counter by reason, one log line, an id that leads from the answer
//! to the line, and no value anywhere.

use serde_json::Value;
use tests::scene::{API, OPEN, Scene, UNLISTED};

const CANARY: &str = "canary-5e1d";

#[test]
fn a_denial_is_counted_logged_once_and_says_nothing_of_values() {
    let scene = Scene::explicit();
    let mut ids = Vec::new();
    let mut refused = |case: &str, expected: (u16, &str), request: String| {
        let reply = scene.refuses(case, expected, || scene.inside(API, request));
        let id = reply.json()["request_id"].as_str().unwrap().to_owned();
        ids.push((expected.1.to_owned(), id));
        reply
    };
    let hidden = |head: String| {
        let lines = format!("\r\nCookie: {CANARY}\r\nAuthorization: Bearer {CANARY}\r\n\r\n");
        head.replacen("\r\n\r\n", &lines, 1)
    };
    for _ in 0..3 {
        refused("a path", (403, "path_not_allowed"), hidden(scene.get(API, "/v2?q=canary-5e1d")));
    }
    refused("an authority", (403, "authority_mismatch"), hidden(scene.get(OPEN, "/v1/a")));
    let delete = hidden(scene.get(API, "/v1/a")).replacen("GET", "DELETE", 1);
    let reply = refused("a method", (403, "method_not_allowed"), delete);
    assert_eq!(reply.all("cache-control"), ["no-store"]);
    let answer = format!("{:?} {}", reply.headers, reply.text());
    for value in [CANARY, "/v1/a", API, &scene.session] {
        assert!(!answer.contains(value), "the answer holds {value}: {answer}");
    }
    let unlisted = || scene.connect(&scene.at(UNLISTED), &scene.session)?.refused();
    let reply = scene.refuses("a host", (403, "host_not_allowed"), unlisted);
    ids.push(("host_not_allowed".into(), reply.json()["request_id"].as_str().unwrap().into()));
    scene.accepts("a request", || scene.inside(API, scene.get(API, "/v1/a")));

    counted(&scene);
    logged(&scene, &ids);
}

fn counted(scene: &Scene) {
    let envoy = scene.stack.envoy().unwrap();
    let page = envoy.admin().prometheus().unwrap();
    let sample = |name: &str, reason: Option<&str>| {
        let of_name = |line: &&str| match line.split_once(['{', ' ']) {
            Some((own, _)) => own.ends_with(name),
            None => false,
        };
        let of_reason = |line: &&str| match reason {
            Some(reason) => line.contains(&format!("reason=\"{reason}\"")),
            None => true,
        };
        let mut lines = page.lines().filter(of_name).filter(of_reason);
        let line = lines.next().unwrap_or_else(|| panic!("no {name} {reason:?} in\n{page}"));
        assert_eq!(lines.next(), None, "{name} {reason:?} twice");
        line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
    };
    let denied = |reason| sample("leasehold_denied", Some(reason));
    assert_eq!(denied("path_not_allowed"), 3);
    assert_eq!(denied("authority_mismatch"), 1);
    assert_eq!(denied("method_not_allowed"), 1);
    assert_eq!(denied("host_not_allowed"), 1);
    assert_eq!(denied("custody_timeout"), 0, "there before its first event");
    assert_eq!(sample("leasehold_allowed", None), 1);
    assert_eq!(sample("leasehold_tunnels", None), 6);
    assert_eq!(sample("leasehold_leases", None), 1);
    for denial in edge::policy::denial::Denial::ALL {
        denied(denial.code());
    }
}

fn logged(scene: &Scene, ids: &[(String, String)]) {
    let envoy = scene.stack.envoy().unwrap();
    let log = envoy.log().unwrap();
    for (reason, id) in ids {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(id)).collect();
        assert_eq!(lines.len(), 1, "{reason} {id}: {lines:?}");
        let expected = format!("leasehold: denied reason={reason} status=403 request_id={id}");
        assert!(lines[0].contains(&expected), "{lines:?}");
    }
    let lines = log.lines().filter(|line| line.contains("leasehold: denied")).count();
    assert_eq!(lines, ids.len());
    for value in [CANARY, &scene.session, tests::scene::SECRET] {
        assert!(!log.contains(value), "Envoy's log holds {value}");
        assert!(!envoy.output().unwrap().contains(value), "the access log holds {value}");
    }
    accessed(&scene.stack.envoy().unwrap().output().unwrap(), ids);
}

/// The access log is written when a stream ends and flushed a moment later, so what is there is
/// held against what was answered, line by line.
fn accessed(output: &str, ids: &[(String, String)]) {
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        let id = line["request_id"].as_str().unwrap_or_default();
        if let Some((reason, _)) = ids.iter().find(|(_, own)| own == id) {
            assert_eq!(line["denied"], reason.as_str(), "{line}");
            assert_eq!(line["status"], 403, "{line}");
        }
    }
}
