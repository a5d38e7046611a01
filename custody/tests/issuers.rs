//! Several issuers: each with its own keys, rules and names of sessions, side by side in one ledger.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use custody_ledger::{LeaseFilter, Target};
use inside::stores::{Store, on_both_stores};
use inside::{Inside, START};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;

on_both_stores! {
    #[tokio::test]
    two_issuers_sessions_of_one_jti_share_nothing,
    a_session_named_by_its_sub_is_one_for_all_its_tokens,
    a_session_named_by_its_token_needs_neither_jti_nor_sub,
}

/// Of the issuer `k`.
struct Other {
    key: SigningKey,
    inside: Inside,
}

impl Other {
    /// `fields`: of the issuer `k`, beside issuer, audiences and keys.
    async fn new(store: Store, fields: &str) -> Self {
        let new = || SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
        let (own, key) = (new(), new());
        let issuers = format!(
            "issuers: [{{issuer: i, audiences: [a], keys: {{jwks: {}}}}}, \
             {{issuer: k, audiences: [b, a], keys: {{jwks: {}}}{fields}}}]",
            own.public_jwks(),
            key.public_jwks(),
        );
        let inside = Inside::of_issuers(own, store, &issuers).await;
        Self { key, inside }
    }

    /// `null` takes a claim out.
    fn token(&self, key: &SigningKey, changes: &Value) -> String {
        let mut claims = json!({"iss": "k", "aud": "a", "sub": "s", "jti": "j", "team": "build",
            "iat": START, "exp": START + 3600});
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        key.sign(&claims).unwrap()
    }

    async fn lease(&self, changes: &Value) -> (u16, Value) {
        self.lease_of(self.token(&self.key, changes)).await
    }

    async fn lease_of(&self, token: String) -> (u16, Value) {
        let mut request = self.inside.request();
        request["session"] = token.into();
        let answer = self.inside.lease(&request).await;
        (answer.status, answer.json())
    }
}

async fn two_issuers_sessions_of_one_jti_share_nothing(store: Store) {
    let other = Other::new(store, "").await;
    let inside = &other.inside;
    let own = || inside.request();
    assert_eq!(inside.lease(&own()).await.status, 200);
    assert_eq!(other.lease(&json!({})).await.0, 200);
    let names = |records: Vec<Value>| {
        let leases = records.into_iter().filter(|record| record["event"] == "lease");
        leases.map(|record| record["session_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(inside.records()), ["i#j", "k#j"]);
    for session in ["i#j", "k#j"] {
        let filter =
            LeaseFilter { session: Some(session.into()), limit: 10, ..LeaseFilter::default() };
        assert_eq!(inside.ledger.real.leases(&filter).await.unwrap().len(), 1, "{session}");
    }
    // A revocation of one is none of the other; what an edge hears names the issuer.
    inside.revoke(Target::Session("k#j".into())).await;
    assert_eq!(other.lease(&json!({})).await.0, 401);
    assert_eq!(inside.lease(&own()).await.status, 200);
    let heard = inside.get("/v1/sync").await.json();
    assert_eq!(heard["changes"][0]["id"], "k#j");
    assert!(inside.restore(&Target::Session("k#j".into())).await);
    // Neither is in use because the other is.
    inside.pass(899);
    assert_eq!(inside.lease(&own()).await.status, 200);
    inside.pass(1);
    let token = other.token(&other.key, &json!({"exp": START + 3000}));
    assert_eq!(other.lease_of(token).await.0, 401, "idle");
    assert_eq!(inside.lease(&own()).await.status, 200);
    // One operation of each is an operation of its own.
    let mut once = inside.once("key");
    assert_eq!(inside.lease(&once).await.status, 200);
    assert_eq!(inside.lease(&once).await.status, 409);
    assert!(inside.restore(&Target::Session("k#j".into())).await);
    once["session"] = other.token(&other.key, &json!({})).into();
    assert_eq!(inside.lease(&once).await.status, 200);
}

async fn a_session_named_by_its_sub_is_one_for_all_its_tokens(store: Store) {
    let other = Other::new(store, ", id: sub").await;
    assert_eq!(other.lease(&json!({"jti": null})).await.0, 200);
    assert_eq!(other.inside.last_record()["session_id"], "k#s");
    assert_eq!(other.inside.last_record()["jwt_id"], Value::Null);
    other.inside.revoke(Target::Session("k#s".into())).await;
    assert_eq!(other.lease(&json!({"jti": "another"})).await.0, 401);
    assert_eq!(other.lease(&json!({"sub": "t"})).await.0, 200);
    assert_eq!(other.lease(&json!({"sub": null})).await.0, 401);
}

async fn a_session_named_by_its_token_needs_neither_jti_nor_sub(store: Store) {
    let other = Other::new(store, ", id: token_digest").await;
    let bare = json!({"jti": null, "sub": null});
    let token = other.token(&other.key, &bare);
    assert_eq!(other.lease_of(token.clone()).await.0, 200);
    let name = other.inside.last_record()["session_id"].as_str().unwrap().to_owned();
    assert_eq!((&name[..2], name.len()), ("k#", 2 + 43));
    other.inside.revoke(Target::Session(name)).await;
    assert_eq!(other.lease_of(token).await.0, 401);
    assert_eq!(other.lease(&json!({"jti": null, "sub": null, "n": 2})).await.0, 200);
}

#[tokio::test]
async fn an_issuers_key_verifies_no_other_issuers_tokens() {
    let other = Other::new(Store::Sqlite, ", algorithms: [EdDSA], max_lifetime: 30m").await;
    let own = &other.inside.key;
    assert_eq!(other.lease_of(other.token(own, &json!({"iss": "i"}))).await.0, 200);
    for (key, iss) in [(own, "k"), (&other.key, "i"), (own, "m")] {
        let answer = other.lease_of(other.token(key, &json!({"iss": iss}))).await;
        assert_eq!(answer.0, 401, "{iss}: {}", answer.1);
    }
    // An audience of one issuer is none of the other.
    assert_eq!(other.lease(&json!({"aud": "b"})).await.0, 200);
    assert_eq!(other.lease_of(other.token(own, &json!({"iss": "i", "aud": "b"}))).await.0, 401);
    // So is the end.
    other.inside.pass(1799);
    assert_eq!(other.lease(&json!({"jti": "new"})).await.0, 200);
    other.inside.pass(1);
    assert_eq!(other.lease(&json!({"jti": "newer"})).await.0, 401);
    assert_eq!(other.lease_of(other.token(own, &json!({"iss": "i", "jti": "n"}))).await.0, 200);
}

#[tokio::test]
async fn grants_match_claims_of_the_issuer_they_name() {
    let other = Other::new(Store::Sqlite, ", required_claims: {team: ['*']}").await;
    let inside = &other.inside;
    let all = "iss: [i, k], team: [build]";
    let restriction = "iss: [k], sub: ['repo:acme/*:ref:refs/heads/main'], /kubernetes.io/n: [7]";
    inside.edit(all, restriction);
    inside.file.reload("test").await.unwrap();
    let changes = |sub: &str| json!({"sub": sub, "kubernetes.io": {"n": 7}, "team": "x"});
    let main = "repo:acme/site:ref:refs/heads/main";
    assert_eq!(other.lease(&changes(main)).await.0, 200);
    assert_eq!(other.lease(&changes("repo:acme/site:pull_request")).await.0, 403);
    let mut same = changes(main);
    same["iss"] = json!("i");
    assert_eq!(other.lease_of(other.token(&inside.key, &same)).await.0, 403);
    // A grant that names none is an error, also when it comes later.
    inside.edit(restriction, "team: [build]");
    let fault = inside.file.reload("test").await.unwrap_err().to_string();
    assert!(fault.contains("grants[0].claims: names no issuer"), "{fault}");
    assert_eq!(other.lease(&changes(main)).await.0, 200, "the old ones stay");
}
