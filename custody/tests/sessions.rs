//! What stands against a session, and how much it may ask: revocations, the kill switch, idle and
//! absolute limits, rates, load.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use custody_ledger::Target;
use inside::faulty::When;
use inside::stores::{Store, on_both_stores};
use inside::{Inside, START};
use serde_json::{Value, json};

// Rates and places are counted in memory: for the others one store is enough.
on_both_stores! {
    #[tokio::test]
    what_is_revoked_gets_no_lease_until_it_is_restored,
    the_kill_switch_stops_everything,
    what_is_revoked_while_a_source_takes_its_time_stays_here,
    grants_that_change_while_a_source_takes_its_time_count,
    a_session_that_sleeps_has_ended,
    a_restored_session_gets_leases_until_it_idles_again,
    the_edges_reports_keep_a_session_awake,
    an_idle_session_is_refused_also_if_the_edges_cannot_be_told,
    without_an_idle_limit_a_session_may_sleep,
    the_absolute_limit_is_by_the_login_and_bounds_the_lease,
}

fn code(answer: &inside::Answer) -> (u16, String) {
    answer.refusal()
}

fn of(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn what_is_revoked_gets_no_lease_until_it_is_restored(store: Store) {
    let inside = Inside::new(store).await;
    let mut request = inside.request();
    request["handle"] = "of-ada".into();
    for (target, refusal, reason) in [
        (Target::Session("i#j".into()), of(401, "session_refused"), "session_revoked"),
        (Target::Handle("of-ada".parse().unwrap()), of(403, "not_granted"), "handle_revoked"),
        (Target::Actor("ada".parse().unwrap()), of(403, "not_granted"), "actor_revoked"),
    ] {
        assert_eq!(inside.lease(&request).await.status, 200);
        inside.revoke(target.clone()).await;
        assert_eq!(code(&inside.lease(&request).await), refusal);
        assert_eq!(inside.last_record()["reason"], reason);
        assert!(inside.restore(&target).await);
    }
    // Of others nothing is said.
    inside.revoke(Target::Session("i#k".into())).await;
    inside.revoke(Target::Actor("default".parse().unwrap())).await;
    assert_eq!(inside.lease(&request).await.status, 200);
}

async fn the_kill_switch_stops_everything(store: Store) {
    let inside = Inside::new(store).await;
    inside.ledger.real.set_kill_switch(true).await.unwrap();
    for request in [inside.request(), inside.once("k")] {
        assert_eq!(code(&inside.lease(&request).await), of(403, "not_granted"));
        assert_eq!(inside.last_record()["reason"], "kill_switch");
    }
    assert_eq!(inside.sources.times(), 0);
    inside.ledger.real.set_kill_switch(false).await.unwrap();
    assert_eq!(inside.lease(&inside.once("k")).await.status, 200);
}

async fn what_is_revoked_while_a_source_takes_its_time_stays_here(store: Store) {
    let inside = Inside::new(store).await;
    for request in [inside.request(), inside.once("k")] {
        let (began, go) = inside.sources.then_wait();
        let revoke = async {
            began.acquire().await.unwrap().forget();
            inside.revoke(Target::Session("i#j".into())).await;
            go.add_permits(1);
        };
        let (answer, ()) = tokio::join!(inside.lease(&request), revoke);
        assert_eq!(code(&answer), of(401, "session_refused"));
        assert_eq!(inside.last_record()["event"], "lease_failed");
        assert!(inside.restore(&Target::Session("i#j".into())).await);
        assert_eq!(inside.lease(&request).await.status, 200);
    }
}

async fn grants_that_change_while_a_source_takes_its_time_count(store: Store) {
    let inside = Inside::new(store).await;
    for (edit, status) in [(("ttl: 5m", "ttl: 6m"), 403), (("purpose: x", "purpose: y"), 200)] {
        let add = "  - {handle: z, destinations: [a.example], claims: {team: [build]}, ttl: 5m}
  - {handle: other, destinations: [a.example], claims: {team: [build]}, purpose: x}\n";
        let text = std::fs::read_to_string(inside.config_path()).unwrap();
        if !text.contains("handle: z") {
            std::fs::write(inside.config_path(), text + add).unwrap();
        }
        inside.file.reload("test").await.unwrap();
        let mut request = inside.request();
        request["handle"] = "z".into();
        let (began, go) = inside.sources.then_wait();
        let reload = async {
            began.acquire().await.unwrap().forget();
            inside.edit(edit.0, edit.1);
            inside.file.reload("test").await.unwrap();
            go.add_permits(1);
        };
        let (answer, ()) = tokio::join!(inside.lease(&request), reload);
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

async fn a_session_that_sleeps_has_ended(store: Store) {
    let inside = Inside::new(store).await;
    assert_eq!(inside.lease(&inside.request()).await.status, 200);
    inside.pass(899);
    assert_eq!(inside.lease(&inside.request()).await.status, 200, "awake again");
    inside.pass(900);
    assert_eq!(code(&inside.lease(&inside.request()).await), of(401, "session_refused"));
    assert_eq!(inside.last_record()["reason"], "session_idle");
    // The edges are told, and it does not come back.
    let told = inside.get("/v1/sync").await.json();
    assert_eq!(
        (&told["changes"][0]["id"], &told["changes"][0]["kind"]),
        (&json!("i#j"), &json!("session"))
    );
    assert_eq!(inside.ledger.real.revoked().await.unwrap()[0].by, "idle");
    assert_eq!(inside.post("/v1/seen", r#"{"sessions":["i#j"]}"#).await.status, 204);
    assert_eq!(code(&inside.lease(&inside.request()).await), of(401, "session_refused"));
    assert_eq!(inside.last_record()["reason"], "session_revoked");
    // Another session is another.
    let mut request = inside.request();
    request["session"] = inside.token(&json!({"jti": "k"})).into();
    assert_eq!(inside.lease(&request).await.status, 200);
}

async fn a_restored_session_gets_leases_until_it_idles_again(store: Store) {
    let inside = Inside::new(store).await;
    let target = Target::Session("i#s-1".into());
    // Every token is a new one of the same session.
    let lease = async |jwt_id: &str| {
        let mut request = inside.request();
        request["session"] = inside.token(&json!({"jti": jwt_id, "sid": "s-1"})).into();
        code(&inside.lease(&request).await)
    };
    let given = || (200, String::new());
    assert_eq!(lease("1").await, given());
    inside.pass(900);
    assert_eq!(lease("2").await, of(401, "session_refused"));
    assert!(inside.restore(&target).await);
    for _ in 0..2 {
        assert_eq!(lease("3").await, given(), "restored after it ended for idleness");
        inside.pass(899);
    }
    assert_eq!(inside.post("/v1/seen", r#"{"sessions":["i#s-1"]}"#).await.status, 204);
    // An operator's revocation may last longer than the idle limit.
    inside.revoke(target.clone()).await;
    inside.pass(5000);
    assert_eq!(lease("4").await, of(401, "session_refused"));
    assert!(inside.restore(&target).await);
    assert_eq!(lease("5").await, given());
    inside.pass(900);
    assert_eq!(lease("6").await, of(401, "session_refused"));
    assert_eq!(inside.last_record()["reason"], "session_idle");
}

async fn the_edges_reports_keep_a_session_awake(store: Store) {
    let inside = Inside::with(store, ", idle: 60s", "", 1).await;
    assert_eq!(inside.lease(&inside.request()).await.status, 200);
    for _ in 0..10 {
        inside.pass(59);
        let seen = inside.post("/v1/seen", r#"{"sessions":["i#j","unknown"]}"#).await;
        assert_eq!((seen.status, seen.body.as_str()), (204, ""));
    }
    assert_eq!(inside.lease(&inside.request()).await.status, 200);
    inside.pass(60);
    inside.post("/v1/seen", r#"{"sessions":["i#j"]}"#).await;
    assert_eq!(code(&inside.lease(&inside.request()).await), of(401, "session_refused"));
}

async fn an_idle_session_is_refused_also_if_the_edges_cannot_be_told(store: Store) {
    let inside = Inside::with(store, ", idle: 60s", "", 1).await;
    assert_eq!(inside.lease(&inside.request()).await.status, 200);
    inside.pass(60);
    inside.ledger.fail(Some(("revoke", When::Before)));
    for _ in 0..2 {
        assert_eq!(code(&inside.lease(&inside.request()).await), of(401, "session_refused"));
        assert_eq!(inside.last_record()["reason"], "session_idle");
    }
}

async fn without_an_idle_limit_a_session_may_sleep(store: Store) {
    let inside = Inside::with(store, ", idle: off", "", 1).await;
    assert_eq!(inside.lease(&inside.request()).await.status, 200);
    inside.pass(100_000);
    assert_eq!(inside.lease(&inside.request()).await.status, 200);
}

async fn the_absolute_limit_is_by_the_login_and_bounds_the_lease(store: Store) {
    let inside = Inside::with(store, ", absolute: 12h", "", 1).await;
    let with = |auth_time: Value| {
        let mut request = inside.request();
        request["session"] = inside.token(&json!({"auth_time": auth_time})).into();
        request
    };
    assert_eq!(inside.lease(&with(json!(START))).await.json()["expires_at"], START + 300);
    let nearly = json!(START - 12 * 3600 + 10);
    assert_eq!(inside.lease(&with(nearly)).await.json()["expires_at"], START + 10);
    for (auth_time, reason) in [
        (json!(START - 12 * 3600), "session_absolute"),
        (Value::Null, "session_auth_time"),
        (json!("1"), "session_auth_time"),
        (json!(START + 1), "session_auth_time"),
    ] {
        assert_eq!(code(&inside.lease(&with(auth_time)).await), of(401, "session_refused"));
        assert_eq!(inside.last_record()["reason"], reason);
    }
    let off = Inside::new(store).await;
    assert_eq!(off.lease(&off.request()).await.status, 200, "off unless it is set");
}

#[tokio::test]
async fn a_session_that_asks_too_often_is_told_when_to_come_back() {
    let inside = Inside::with(Store::Sqlite, "", "limits: {per_session: 3/m}", 1).await;
    for _ in 0..3 {
        assert_eq!(inside.lease(&inside.request()).await.status, 200);
    }
    inside.ledger.take_calls();
    for _ in 0..30 {
        let answer = inside.lease(&inside.request()).await;
        assert_eq!(code(&answer), of(429, "rate_limited"));
        assert_eq!(answer.retry_after(), Some(20));
    }
    assert!(inside.ledger.take_calls().is_empty(), "nothing was asked for it");
    let written = inside.records().iter().filter(|one| one["code"] == "rate_limited").count();
    assert!((1..=12).contains(&written), "a sample, so that nobody fills the disk: {written}");
    let mut other = inside.request();
    other["session"] = inside.token(&json!({"jti": "k"})).into();
    assert_eq!(inside.lease(&other).await.status, 200);
}

#[tokio::test]
async fn a_handle_has_a_rate_for_all_sessions_together() {
    let inside = Inside::with(Store::Sqlite, "", "limits: {per_handle: 2/h}", 1).await;
    let of_session = |jwt_id: &str, handle: &str| {
        let mut request = inside.request();
        request["session"] = inside.token(&json!({"jti": jwt_id})).into();
        request["handle"] = handle.into();
        request
    };
    for (jwt_id, handle, status) in
        [("1", "h", 200), ("2", "h", 200), ("3", "h", 429), ("3", "g", 200)]
    {
        assert_eq!(inside.lease(&of_session(jwt_id, handle)).await.status, status);
    }
    // Whoever has no grant cannot use up what others have.
    let mut stranger = of_session("4", "g");
    stranger["session"] = inside.token(&json!({"jti": "4", "team": "sales"})).into();
    for _ in 0..5 {
        assert_eq!(inside.lease(&stranger).await.status, 403);
    }
    assert_eq!(inside.lease(&of_session("5", "g")).await.status, 200);
}

#[tokio::test]
async fn too_many_at_once_are_told_so_at_once() {
    let inside = Inside::with(Store::Sqlite, "", "limits: {concurrent: 1, pollers: 1}", 1).await;
    let (began, go) = inside.sources.then_wait();
    let request = inside.request();
    let others = async {
        began.acquire().await.unwrap().forget();
        for answer in [
            inside.lease(&request).await,
            inside.post("/v1/seen", r#"{"sessions":[]}"#).await,
            inside.post("/v1/leases/lse_1/outcome", r#"{"outcome":"accepted"}"#).await,
        ] {
            assert_eq!(code(&answer), of(503, "unavailable"));
            assert_eq!(answer.retry_after(), Some(1));
        }
        assert_eq!(inside.get("/v1/sync").await.status, 200, "news have places of their own");
        go.add_permits(1);
    };
    let (answer, ()) = tokio::join!(inside.lease(&request), others);
    assert_eq!(answer.status, 200);
    assert_eq!(inside.lease(&request).await.status, 200, "there is room again");
    let cursor = inside.get("/v1/sync").await.json()["cursor"].as_str().unwrap().to_owned();
    let path = format!("/v1/sync?cursor={cursor}&wait=30");
    let more = async {
        while code(&inside.get("/v1/sync").await) != of(503, "unavailable") {
            tokio::task::yield_now().await;
        }
        inside.feed.close();
    };
    let (answer, ()) = tokio::join!(inside.get(&path), more);
    assert_eq!(answer.status, 200);
}
