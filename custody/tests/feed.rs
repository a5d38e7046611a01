//! `GET /v1/sync`: what edges learn of revocations, and when.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use custody_ledger::{Revocation, Target};
use inside::Inside;
use inside::faulty::When;
use inside::stores::{Store, on_both_stores};
use lease::SyncAnswer;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

// The others are refused before the ledger is asked.
on_both_stores! {
    #[tokio::test]
    from_everything_to_what_changed,
    whoever_waits_hears_of_a_change_at_once,
    a_wait_ends_by_itself,
    a_cursor_of_another_ledger_or_none_at_all_is_told_everything,
    a_revoked_actor_is_its_handles_also_after_a_reload,
    a_feed_that_fails_says_so,
    a_thousand_pollers_cost_the_ledger_what_one_costs,
    pollers_that_are_behind_alike_ask_the_ledger_together,
    no_revocation_is_lost_to_a_poller,
}

async fn ask(inside: &Inside, query: &str) -> SyncAnswer {
    let answer = inside.get(&format!("/v1/sync{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    SyncAnswer::decode(answer.body.as_bytes()).unwrap()
}

async fn since(inside: &Inside, before: &SyncAnswer, wait: u64) -> SyncAnswer {
    ask(inside, &format!("?cursor={}&wait={wait}", before.cursor)).await
}

fn words(answer: &SyncAnswer) -> Vec<String> {
    let sign = |revoked| if revoked { '+' } else { '-' };
    answer.changes.iter().map(|change| format!("{}{}", change.id, sign(change.revoked))).collect()
}

fn session(name: &str) -> Target {
    Target::Session(name.into())
}

/// Far less than any wait below.
const SOON: Duration = Duration::from_secs(10);

async fn from_everything_to_what_changed(store: Store) {
    let inside = Inside::new(store).await;
    inside.revoke(session("s1")).await;
    let first = ask(&inside, "").await;
    assert!(first.full && !first.kill_switch);
    assert_eq!(words(&first), ["s1+"]);
    let nothing = since(&inside, &first, 0).await;
    assert!(!nothing.full && nothing.changes.is_empty());
    inside.revoke(session("s2")).await;
    inside.revoke(Target::Lease("lse_1".into())).await;
    assert!(inside.restore(&session("s1")).await);
    let second = since(&inside, &nothing, 0).await;
    assert!(!second.full);
    assert_eq!(words(&second), ["s2+", "lse_1+", "s1-"]);
    assert_eq!(words(&ask(&inside, "").await), ["s2+", "lse_1+"]);
}

async fn whoever_waits_hears_of_a_change_at_once(store: Store) {
    let inside = Inside::new(store).await;
    let mut known = ask(&inside, "").await;
    for round in 0..20 {
        let change = async {
            tokio::task::yield_now().await;
            match round % 3 {
                0 => inside.revoke(session(&format!("s{round}"))).await,
                1 => inside.ledger.real.set_kill_switch(true).await.unwrap(),
                _ => inside.ledger.real.set_kill_switch(false).await.unwrap(),
            }
        };
        let heard = tokio::time::timeout(SOON, since(&inside, &known, 30));
        let (heard, ()) = tokio::join!(heard, change);
        known = heard.unwrap();
        assert_eq!(known.kill_switch, round % 3 == 1);
        assert_eq!(known.changes.len(), usize::from(round % 3 == 0));
    }
}

async fn a_wait_ends_by_itself(store: Store) {
    let inside = Inside::new(store).await;
    let known = ask(&inside, "").await;
    let begun = std::time::Instant::now();
    let answer = tokio::time::timeout(SOON, since(&inside, &known, 1)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(990), "{:?}", begun.elapsed());
    assert!(!answer.full && answer.changes.is_empty());
}

async fn a_cursor_of_another_ledger_or_none_at_all_is_told_everything(store: Store) {
    let (inside, other) = (Inside::new(store).await, Inside::new(store).await);
    inside.revoke(session("s1")).await;
    let foreign = ask(&other, "").await.cursor;
    let own = ask(&inside, "").await.cursor;
    let (feed, _mark) = own.rsplit_once('.').unwrap();
    for cursor in [foreign.as_str(), "0", "a.b", feed, &format!("{feed}.00000000")] {
        let query = format!("?cursor={cursor}&wait=30");
        let answer = tokio::time::timeout(SOON, ask(&inside, &query)).await.unwrap();
        assert!(answer.full, "{cursor}");
        assert_eq!(words(&answer), ["s1+"]);
    }
}

async fn a_revoked_actor_is_its_handles_also_after_a_reload(store: Store) {
    let inside = Inside::new(store).await;
    let known = ask(&inside, "").await;
    inside.revoke(Target::Actor("ada".parse().unwrap())).await;
    let known = since(&inside, &known, 0).await;
    assert_eq!(words(&known), ["of-ada+"]);
    // A new handle of hers reaches an edge that waits, as everything there is.
    let text = std::fs::read_to_string(inside.config_path()).unwrap();
    let more =
        "  - {handle: new, actor: ada, destinations: [a.example], claims: {team: [build]}}\n";
    std::fs::write(inside.config_path(), text + more).unwrap();
    let reload = async {
        tokio::task::yield_now().await;
        inside.file.reload("test").await.unwrap();
    };
    let heard = tokio::time::timeout(SOON, since(&inside, &known, 30));
    let (heard, ()) = tokio::join!(heard, reload);
    let known = heard.unwrap();
    assert!(known.full);
    assert_eq!(words(&known), ["new+", "of-ada+"]);
    // Revoked for itself too, it stays so when she is restored.
    inside.revoke(Target::Handle("new".parse().unwrap())).await;
    let known = since(&inside, &known, 0).await;
    assert_eq!(words(&known), ["new+"]);
    assert!(inside.restore(&Target::Actor("ada".parse().unwrap())).await);
    assert_eq!(words(&since(&inside, &known, 0).await), ["new+", "of-ada-"]);
}

async fn a_feed_that_fails_says_so(store: Store) {
    let inside = Inside::new(store).await;
    let known = ask(&inside, "").await;
    inside.revoke(Target::Handle("h".parse().unwrap())).await;
    let current = ask(&inside, "").await;
    // One that waits is told when the ledger begins to fail; one that comes then, at once.
    let waiting = async {
        let query = format!("/v1/sync?cursor={}&wait=30", current.cursor);
        tokio::time::timeout(SOON, inside.get(&query)).await.unwrap()
    };
    let failing = async {
        tokio::task::yield_now().await;
        inside.ledger.fail(Some(("feed_update", When::Before)));
    };
    let (answer, ()) = tokio::join!(waiting, failing);
    assert_eq!(answer.refusal(), (503, "unavailable".into()));
    for query in [
        String::new(),
        format!("?cursor={}&wait=5", known.cursor),
        format!("?cursor={}&wait=5", current.cursor),
    ] {
        let answer = inside.get(&format!("/v1/sync{query}")).await;
        assert_eq!(answer.refusal(), (503, "unavailable".into()), "{query}");
    }
    // A wait that fails is no reason to tell nothing: the feed is looked at in its place.
    inside.ledger.fail(Some(("wait", When::Before)));
    let late = since(&inside, &current, 1).await;
    assert!(!late.full && late.changes.is_empty());
    inside.ledger.fail(None);
    assert_eq!(words(&since(&inside, &known, 30).await), ["h+"]);
    inside.ledger.fail(Some(("mark_seen", When::Before)));
    let answer = inside.post("/v1/seen", r#"{"sessions":["i#j"]}"#).await;
    assert_eq!(answer.refusal(), (503, "unavailable".into()));
}

/// So many that a query of each would be seen.
const POLLERS: usize = 1000;

/// Polls that are waiting, from this cursor; they end with the next change.
fn polls(inside: &Arc<Inside>, cursor: &str, wait: u64) -> Vec<JoinHandle<SyncAnswer>> {
    let poll = |_| {
        let (inside, query) = (Arc::clone(inside), format!("?cursor={cursor}&wait={wait}"));
        tokio::spawn(async move { ask(&inside, &query).await })
    };
    (0..POLLERS).map(poll).collect()
}

async fn a_thousand_pollers_cost_the_ledger_what_one_costs(store: Store) {
    let inside = Arc::new(Inside::new(store).await);
    let known = ask(&inside, "").await;
    let polls_at_rest = polls(&inside, &known.cursor, 30);
    tokio::time::sleep(Duration::from_secs(1)).await;
    inside.ledger.take_calls();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let at_rest = inside.ledger.take_calls().len();
    assert!((1..=20).contains(&at_rest), "{at_rest} calls of the ledger in two seconds at rest");
    inside.revoke(session("s1")).await;
    for poll in polls_at_rest {
        let answer = tokio::time::timeout(SOON, poll).await.unwrap().unwrap();
        assert!(!answer.full);
        assert_eq!(words(&answer), ["s1+"]);
    }
    let after = inside.ledger.take_calls().len();
    assert!(after <= 20, "{after} calls of the ledger for one revocation");
}

async fn pollers_that_are_behind_alike_ask_the_ledger_together(store: Store) {
    let inside = Arc::new(Inside::new(store).await);
    let old = ask(&inside, "").await;
    for name in ["s1", "s2", "s3"] {
        inside.revoke(session(name)).await;
    }
    inside.revoke(Target::Actor("ada".parse().unwrap())).await;
    ask(&inside, "").await;
    for (cursor, full) in [(old.cursor.as_str(), false), ("0", true)] {
        inside.ledger.take_calls();
        for poll in polls(&inside, cursor, 30) {
            let answer = tokio::time::timeout(SOON, poll).await.unwrap().unwrap();
            assert_eq!(answer.full, full, "{cursor}");
            assert_eq!(words(&answer), ["s1+", "s2+", "s3+", "of-ada+"]);
        }
        let calls = inside.ledger.take_calls().len();
        assert!(calls <= POLLERS / 10, "{calls} calls of the ledger for {POLLERS} pollers");
    }
}

/// Polls in every rhythm while two replicas revoke: whatever falls between a look of the tail and a
/// poller's registration would be missing in the end.
async fn no_revocation_is_lost_to_a_poller(store: Store) {
    let inside = Arc::new(Inside::new(store).await);
    let begin = ask(&inside, "").await;
    let pollers: Vec<_> = (0..30_u64)
        .map(|number| {
            let (inside, mut known) = (Arc::clone(&inside), begin.clone());
            tokio::spawn(async move {
                let mut heard = BTreeSet::new();
                while heard.len() < 200 {
                    let wait = if number % 3 == 0 { 0 } else { 30 };
                    known = tokio::time::timeout(SOON, since(&inside, &known, wait)).await.unwrap();
                    assert!(!known.full, "nothing is told twice");
                    for change in &known.changes {
                        assert!(heard.insert(change.id.clone()), "{} twice", change.id);
                    }
                    tokio::time::sleep(Duration::from_micros(number * 137)).await;
                }
                heard.len()
            })
        })
        .collect();
    let replica = inside.replica().await;
    for number in 0..100 {
        let order = |name: String| Revocation {
            target: session(&name),
            at: 0,
            until: None,
            by: "test".into(),
        };
        inside.ledger.real.revoke(&order(format!("own-{number}"))).await.unwrap();
        replica.revoke(&order(format!("other-{number}"))).await.unwrap();
        tokio::time::sleep(Duration::from_micros(number * 53 % 3000)).await;
    }
    for poller in pollers {
        let heard = tokio::time::timeout(SOON * 2, poller).await.unwrap().unwrap();
        assert_eq!(heard, 200);
    }
}

#[tokio::test]
async fn what_is_no_question() {
    let inside = Inside::new(Store::Sqlite).await;
    for query in ["?wait=31", "?wait=x", "?cursor=", "?cursor=a%20b", "?other=1", "?wait=1&wait=1"]
    {
        let answer = inside.get(&format!("/v1/sync{query}")).await;
        assert_eq!(answer.refusal(), (400, "bad_request".into()), "{query}");
    }
    for body in ["", "{}", r#"{"sessions":[""]}"#, r#"{"sessions":["a"],"x":1}"#, "[]"] {
        let answer = inside.post("/v1/seen", body).await;
        assert_eq!(answer.refusal(), (400, "bad_request".into()), "{body}");
    }
}

/// A JSON value that somebody else thought of.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        "[ -~]{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
        "\\PC{0,20}".prop_map(|text| serde_json::Value::from(text).to_string()),
        Just("\"single_use\"".to_owned()),
        Just("\"a.example:443\"".to_owned()),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let names = "(session|handle|destination|method|path|fingerprint|binding|outcome|failure_code|sessions|x)";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((names, inner), 0..8).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// Every route answers with a status of its contract, whatever it is sent; no task of it panics, and
/// the next good request is served.
#[test]
fn no_body_and_no_query_breaks_a_route() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let inside = runtime.block_on(Inside::new(Store::Sqlite));
    let body = prop_oneof![
        json().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..300),
        // A good request with one byte changed.
        (any::<prop::sample::Index>(), any::<u8>()).prop_map({
            let good = inside.request().to_string().into_bytes();
            move |(at, byte)| {
                let mut body = good.clone();
                let at = at.index(body.len());
                body[at] = byte;
                body
            }
        }),
    ];
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) };
    proptest!(config, |(body in body, query in "[!-~&&[^#]]{0,60}")| {
        runtime.block_on(async {
            for (path, statuses) in [
                ("/v1/leases", &[200, 400, 401, 403, 429][..]),
                ("/v1/leases/lse_1/outcome", &[400, 404]),
                ("/v1/seen", &[204, 400]),
            ] {
                let answer = inside.post(path, body.clone()).await;
                prop_assert!(statuses.contains(&answer.status), "{path}: {answer:?}");
                prop_assert!(answer.status != 200 || answer.body.contains("Bearer value-"));
            }
            // `wait` is taken out: nobody shall wait here.
            let path = format!("/v1/sync?{}", query.replace("wait", "w"));
            if let Ok(uri) = path.parse::<hyper::Uri>() {
                let answer = inside.get(&uri.to_string()).await;
                prop_assert!([200, 400].contains(&answer.status), "{path}: {answer:?}");
            }
            Ok(())
        })?;
    });
    let mut request = inside.request();
    request["session"] = inside.token(&serde_json::json!({"jti": "another"})).into();
    assert_eq!(runtime.block_on(inside.lease(&request)).status, 200);
}
