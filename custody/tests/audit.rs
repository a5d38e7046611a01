//! The audit log around a running custody: before every answer, or there is no answer.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::client::plain_get;
use common::stores::{Store, on_both_stores};
use common::{Home, custody, run, text};
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

// The others are about the file of the audit log alone, which no store holds.
on_both_stores! {
    #[tokio::test]
    the_record_is_there_before_the_answer,
    no_record_no_lease,
    a_killed_custody_is_continued,
}

async fn the_record_is_there_before_the_answer(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    for _ in 0..5 {
        let lease = home.lease(&running, &home.request()).await.json();
        let last = home.records().pop().unwrap();
        for (field, value) in [
            ("event", json!("lease")),
            ("outcome", json!("allow")),
            ("lease_id", lease["lease_id"].clone()),
            ("expires_at", lease["expires_at"].clone()),
            ("issuer", json!("https://control-plane.example")),
            ("subject", json!("ci-job-7")),
            ("jwt_id", json!("jti-1")),
            ("handle", json!("github-ci")),
            ("actor", json!("default")),
            ("destination", json!("api.github.com:443")),
            ("method", json!("GET")),
            ("path", json!("/repos/acme/x")),
            ("trace_id", json!("req-42")),
            ("session_id", json!("https://control-plane.example#jti-1")),
            ("actor_id", json!("ci-job-7")),
            ("resource", json!("github-ci@api.github.com:443")),
            ("action", json!("lease")),
            ("type_uid", json!(600_301)),
        ] {
            assert_eq!(last[field], value, "{field}");
        }
        let time = last["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        // It can be read by itself while custody runs.
        assert!(home.verify().status.success());
    }
}

async fn no_record_no_lease(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let hidden = home.path("hidden");
    fs::rename(home.audit(), &hidden).unwrap();
    for change in ["", "not_granted"] {
        let mut request = home.request();
        if !change.is_empty() {
            request["handle"] = change.into();
        }
        let answer = home.lease(&running, &request).await;
        assert_eq!((answer.status, answer.json()), (503, json!({"code": "unavailable"})));
    }
    // A session that does not verify learns nothing new.
    let mut request = home.request();
    request["session"] = "x".into();
    assert_eq!(home.lease(&running, &request).await.status, 401);
    assert_eq!(plain_get(running.health, "/healthz").await.status, 503);
    assert_eq!(home.edge_client().get(running.edge, "/healthz").await.unwrap().status, 503);
    fs::rename(&hidden, home.audit()).unwrap();
    assert_eq!(plain_get(running.health, "/healthz").await.status, 200);
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    assert_eq!(running.stop(), 0);
    assert!(home.verify().status.success());
    let allowed = home.records().iter().filter(|record| record["outcome"] == "allow").count();
    assert_eq!(allowed, 2);
}

#[tokio::test]
async fn a_log_that_somebody_else_writes_to_is_not_continued() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let mut file = OpenOptions::new().append(true).open(home.audit()).unwrap();
    file.write_all(b"{\"event\":\"forged\"}\n").unwrap();
    assert_eq!(home.lease(&running, &home.request()).await.status, 503);
    drop(running);
    let output = home.verify();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("line 2: "), "{}", text(&output));
    let output = run(custody().args(["serve", "--config"]).arg(home.config()), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("does not continue a broken chain"), "{}", text(&output));
}

#[tokio::test]
async fn a_ledger_that_was_lost_is_said() {
    let home = Home::new(Store::Sqlite);
    let is_said = || {
        let running = home.serve();
        let log = Arc::clone(&running.log);
        assert_eq!(running.stop(), 0);
        log.lock().unwrap().contains("and the kill switch, hold no more")
    };
    assert!(!is_said(), "the audit log is as new");
    fs::remove_file(home.path("custody.db")).unwrap();
    assert!(is_said());
    fs::write(home.path("custody.db"), "").unwrap();
    assert!(is_said());
    assert!(!is_said(), "it is not new any more");
}

#[tokio::test]
async fn a_flood_of_garbage_leaves_a_few_records() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let mut request = home.request();
    request["session"] = "garbage".into();
    let begun = std::time::Instant::now();
    for _ in 0..60 {
        assert_eq!(home.lease(&running, &request).await.status, 401);
    }
    let samples: Vec<_> = home.records();
    let samples = samples.iter().filter(|record| record["event"] == "session_refused").count();
    // Ten at once and one a second after that.
    let bound = 10 + usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    assert!(samples >= 10 && samples <= bound, "{samples} of at most {bound}");
    let page = plain_get(running.health, "/metrics").await.text();
    assert!(page.contains("sessions_refused_total{code=\"session_malformed\"} 60\n"), "{page}");
}

async fn a_killed_custody_is_continued(store: Store) {
    let home = Home::new(store);
    let mut running = home.serve();
    home.lease(&running, &home.request()).await;
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let whole = fs::read(home.audit()).unwrap();
    let mut file = OpenOptions::new().append(true).open(home.audit()).unwrap();
    file.write_all(b"{\"seq\":3,\"time\":\"20").unwrap();
    let output = home.verify();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("line 3: the record is incomplete"), "{}", text(&output));

    let running = home.serve();
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    assert_eq!(running.stop(), 0);
    assert!(home.verify().status.success());
    assert!(fs::read(home.audit()).unwrap().starts_with(&whole), "nothing whole was lost");
    let records = home.records();
    let events: Vec<_> = records.iter().map(|record| record["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["started", "lease", "recovered", "started", "lease", "stopped"]);
    let aside = home.path(records[2]["torn_file"].as_str().unwrap());
    assert_eq!(fs::read(aside).unwrap(), b"{\"seq\":3,\"time\":\"20");
}

#[tokio::test]
async fn verify_names_the_first_broken_record() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    for _ in 0..4 {
        home.lease(&running, &home.request()).await;
    }
    assert_eq!(running.stop(), 0);
    let good = fs::read_to_string(home.audit()).unwrap();
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let output = home.verify();
    let last = text(&output).trim_end().rsplit(' ').next().unwrap().to_owned();
    let with = |bytes: &str, hash: Option<&str>| {
        fs::write(home.audit(), bytes).unwrap();
        let hash = hash.map(|hash| ["--contains", hash]).into_iter().flatten();
        let output = run(custody().args(["audit", "verify"]).arg(home.audit()).args(hash), b"");
        (output.status.code(), text(&output))
    };
    assert_eq!(with(&good, Some(&last)).0, Some(0));
    for (bytes, line) in [
        (good.replacen("ci-job-7", "ci-job-8", 1), "line 2: its hash"),
        ([lines[0], lines[1], lines[3], lines[4]].concat(), "line 3: it does not follow"),
        ([lines[0], lines[2], lines[1]].concat(), "line 2: it does not follow"),
        (lines[1..].concat(), "line 1: it does not follow"),
        (good.replacen('\n', "\nx\n", 1), "line 2: it is not an audit record"),
    ] {
        let (code, words) = with(&bytes, None);
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains(line), "{words}");
    }
    // Cut off at the end: the chain alone cannot tell, a hash kept elsewhere can.
    let cut = lines[..3].concat();
    assert_eq!(with(&cut, None).0, Some(0));
    let (code, words) = with(&cut, Some(&last));
    assert_eq!(code, Some(1));
    assert!(words.contains("cut off"), "{words}");
    assert_eq!(run(custody().args(["audit", "verify", "/nowhere"]), b"").status.code(), Some(1));
}

#[tokio::test]
async fn a_log_that_was_moved_away_is_begun_anew_on_sighup() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let moved = home.path("audit-000000000001-2026-01-01.jsonl");
    fs::rename(home.audit(), &moved).unwrap();
    assert_eq!(home.lease(&running, &home.request()).await.status, 503);
    running.signal("HUP");
    let began = std::time::Instant::now();
    while home.lease(&running, &home.request()).await.status != 200 {
        assert!(began.elapsed().as_secs() < 20, "no new log");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(running.stop(), 0);
    let folder = home.path("");
    let verify = |what: &Path, more: &[&str]| {
        let output = run(custody().args(["audit", "verify"]).arg(what).args(more), b"");
        (output.status.code(), text(&output))
    };
    let (code, words) = verify(&folder, &["--complete", "--json"]);
    assert_eq!(code, Some(0), "{words}");
    let report: serde_json::Value = serde_json::from_str(&words).unwrap();
    let (records, segments) = (report["records"].as_u64().unwrap(), &report["segments"]);
    assert_eq!((&segments[0]["last"], &segments[1]["first"]), (&json!(2), &json!(3)));
    assert_eq!((&segments[1]["last"], &report["absent"]), (&json!(records), &json!([])));
    // Each alone.
    assert_eq!(verify(&moved, &["--complete"]).0, Some(0));
    let (code, words) = verify(&home.audit(), &[]);
    assert!(code == Some(0) && words.contains("records 1 to 2 are absent"), "{words}");
    assert_eq!(verify(&home.audit(), &["--complete"]).0, Some(1));
    let hash = report["last_hash"].as_str().unwrap();
    assert_eq!(verify(&folder, &["--contains", hash]).0, Some(0));
    assert_eq!(verify(&moved, &["--contains", hash]).0, Some(1));
    let tail = ["audit", "tail", "-n", "1000", "--json"];
    let shown = text(&run(custody().args(tail).arg(home.audit()), b""));
    assert_eq!(shown.lines().count() as u64, records, "with the closed segment");
}

#[tokio::test]
async fn two_custodies_do_not_share_a_log() {
    let home = Home::new(Store::Sqlite);
    let _running = home.serve();
    let output = run(custody().args(["serve", "--config"]).arg(home.config()), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("another custody is writing to it"), "{}", text(&output));
}
