//! A credential for each person under one handle: a claim of the session names the actor.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::client::Answer;
use common::stores::{Store, on_both_stores};
use common::{Home, Running, custody, run, text};
use serde_json::{Value, json};

on_both_stores! {
    #[tokio::test]
    each_session_leases_the_credential_of_its_own_person,
    a_claim_that_names_nobody_is_denied_with_its_reason,
    a_revoked_person_loses_every_lease_and_the_others_lose_none,
    reload_removed_the_grant_of_a_revoked_actor_the_edge_still_gets_its_leases,
}

const HANDLE: &str = "jira";
const PEOPLE: [&str; 3] = ["ada", "bob.b", "6c1f3a70-0c5e"];

fn secret(person: &str) -> String {
    format!("token-of-{person}")
}

fn home(store: Store) -> Home {
    let home = Home::bare(store);
    for person in PEOPLE {
        home.put(HANDLE, &["--actor", person], &secret(person));
    }
    // Nobody's session may reach what is stored for custody itself.
    home.put("other", &[], "a-secret-of-the-default-actor");
    home.grants(
        "- {handle: jira, actor: {claim: sub}, destinations: [api.github.com], claims: {team: [build]}}
  - {handle: mail, actor: {claim: person}, destinations: [api.github.com], claims: {team: [build]}}",
    );
    home
}

async fn lease(home: &Home, running: &Running, handle: &str, claims: &Value) -> Answer {
    let mut all = home.claims();
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let mut request = home.request();
    request["session"] = home.key.sign(&all).unwrap().into();
    request["handle"] = handle.into();
    home.lease(running, &request).await
}

async fn of(home: &Home, running: &Running, person: &str) -> Answer {
    lease(home, running, HANDLE, &json!({"sub": person, "jti": format!("jti-{person}")})).await
}

async fn each_session_leases_the_credential_of_its_own_person(store: Store) {
    let home = home(store);
    let checked = run(custody().args(["check", "--config"]).arg(home.config()), b"");
    assert!(checked.status.success(), "{}", text(&checked));
    let running = home.serve();
    for person in PEOPLE {
        let answer = of(&home, &running, person).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let value = format!("Bearer {}", secret(person));
        assert_eq!(answer.json()["headers"][0]["value"], value);
        let last = home.records().pop().unwrap();
        assert_eq!((&last["event"], &last["actor"]), (&json!("lease"), &json!(person)));
    }
    // A person for whom nothing is stored gets nobody else's.
    assert_eq!(of(&home, &running, "eve").await.status, 503);
    assert_eq!(home.records().pop().unwrap()["reason"], "credential_absent");
}

async fn a_claim_that_names_nobody_is_denied_with_its_reason(store: Store) {
    let home = home(store);
    let running = home.serve();
    let denied = async |handle: &str, claims: Value| {
        let answer = lease(&home, &running, handle, &claims).await;
        assert_eq!(
            (answer.status, answer.json()),
            (403, json!({"code": "not_granted"})),
            "{claims}"
        );
        let last = home.records().pop().unwrap();
        assert_eq!(
            (&last["event"], &last["reason"]),
            (&json!("lease"), &json!("actor")),
            "{claims}"
        );
    };
    for sub in ["auth0|ada", "ada@example.com", "../ada", "-ada", "ada bob"] {
        denied(HANDLE, json!({"sub": sub})).await;
    }
    for person in [json!(null), json!(7), json!(["ada"]), json!({"name": "ada"}), json!("")] {
        denied("mail", json!({"person": person})).await;
    }
    denied("mail", json!({})).await;
    let question = |claims: Value| json!({"claims": claims, "handle": HANDLE, "destination": "api.github.com", "method": "GET"});
    let good = order(
        &home,
        &running,
        "/v1/grants/check",
        question(json!({"team": "build", "sub": "ada"})),
    )
    .await;
    assert_eq!(good["grant"]["actor"], "ada", "{good}");
    let bad = order(
        &home,
        &running,
        "/v1/grants/check",
        question(json!({"team": "build", "sub": "a|b"})),
    )
    .await;
    assert_eq!((&bad["granted"], &bad["why"]), (&json!(false), &json!("actor")));
}

async fn order(home: &Home, running: &Running, path: &str, body: Value) -> Value {
    let (client, body) = (home.operator_client(), body.to_string().into_bytes());
    let answer = client.send(running.admin, "POST", path, &[], Some(&body)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// What an edge that starts now is told: kind and id of each revocation in force.
async fn told(home: &Home, running: &Running) -> Vec<(String, String)> {
    let answer = home.edge_client().get(running.edge, "/v1/sync?wait=0").await.unwrap();
    let changes = answer.json()["changes"].as_array().unwrap().clone();
    let text = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
    changes.iter().map(|change| (text(change, "kind"), text(change, "id"))).collect()
}

async fn a_revoked_person_loses_every_lease_and_the_others_lose_none(store: Store) {
    let home = home(store);
    let running = home.serve();
    let leased = of(&home, &running, "ada").await.json();
    assert_eq!(of(&home, &running, "bob.b").await.status, 200);
    let actor = json!({"kind": "actor", "id": "ada"});
    let revoked = order(&home, &running, "/v1/revocations", actor).await;
    assert_eq!((&revoked["leases"], &revoked["complete"]), (&json!(1), &json!(true)));
    let denied = of(&home, &running, "ada").await;
    assert_eq!((denied.status, denied.json()), (403, json!({"code": "not_granted"})));
    assert_eq!(home.records().pop().unwrap()["reason"], "actor_revoked");
    assert_eq!(of(&home, &running, "bob.b").await.status, 200);
    // The edge drops her lease, and keeps those of the others under the same handle.
    let lease_id = leased["lease_id"].as_str().unwrap().to_owned();
    assert_eq!(told(&home, &running).await, [("lease".to_owned(), lease_id)]);
    let path = "/v1/revocations/actor/ada";
    let client = home.operator_client();
    let restored = client.send(running.admin, "DELETE", path, &[], None).await.unwrap();
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(of(&home, &running, "ada").await.status, 200);
}

async fn reload_removed_the_grant_of_a_revoked_actor_the_edge_still_gets_its_leases(store: Store) {
    let home = Home::bare(store);
    home.put(HANDLE, &["--actor", "ada"], "token-of-ada");
    let grant =
        "- {handle: jira, actor: ada, destinations: [api.github.com], claims: {team: [build]}}";
    home.grants(grant);
    let running = home.serve();
    let leased = of(&home, &running, "ada").await.json();
    home.edit(grant, &grant.replace("actor: ada", "actor: bob"));
    order(&home, &running, "/v1/grants/reload", json!({})).await;
    let actor = json!({"kind": "actor", "id": "ada"});
    let revoked = order(&home, &running, "/v1/revocations", actor).await;
    assert_eq!((&revoked["leases"], &revoked["complete"]), (&json!(1), &json!(true)));
    let lease_id = leased["lease_id"].as_str().unwrap().to_owned();
    assert_eq!(told(&home, &running).await, [("lease".to_owned(), lease_id)]);
}
