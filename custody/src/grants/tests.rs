use super::*;
use lease::{Authority, Secret};
use proptest::prelude::*;
use serde_json::json;
use session::mint::SigningKey;
use session::{Algorithm, KeySet, Rules, Verifier};

const NOW: u64 = 1_800_000_000;

fn session(team: &Value) -> Session {
    let key = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
    let verifier =
        Verifier::new(Rules::new("i", "a"), KeySet::from_jwks(&key.public_jwks()).unwrap());
    let token = key
        .sign(&json!({"iss": "i", "aud": "a", "sub": "s", "jti": "j", "iat": NOW,
            "exp": NOW + 600, "team": team}))
        .unwrap();
    verifier.verify(token.as_bytes(), NOW).unwrap()
}

fn grant(claims: Value) -> Grant {
    Grant {
        handle: "github-ci".parse().unwrap(),
        actor: GrantActor::Named(Actor::DEFAULT.parse().unwrap()),
        destinations: vec!["api.github.com".parse().unwrap(), "*.x.example".parse().unwrap()],
        claims: serde_json::from_value(claims).unwrap(),
        methods: Some(vec!["GET".into()]),
        ttl: 300,
        binding: GrantedBinding::Session,
        purpose: None,
        restriction: Restriction::default(),
    }
}

fn asked(handle: &str, destination: &str, method: &str, binding: Binding) -> LeaseRequest {
    LeaseRequest {
        session: Secret::new("unused"),
        handle: handle.parse().unwrap(),
        destination: Authority::parse(destination.as_bytes(), 443).unwrap(),
        method: method.into(),
        path: "/".into(),
        fingerprint: None,
        idempotency_key: None,
        body_digest: None,
        binding,
    }
}

fn gap(grants: &Grants, team: &Value, asked: &LeaseRequest) -> Option<Gap> {
    grants.covering(&session(team), asked).err()
}

#[test]
fn every_part_must_fit() {
    let grants = Grants::new(vec![grant(json!({"team": ["build", "ops"]}))], String::new());
    let build = json!("build");
    let good = || asked("github-ci", "api.github.com", "GET", Binding::Session);
    assert_eq!(gap(&grants, &build, &good()), None);
    assert_eq!(gap(&grants, &json!(["x", "ops"]), &good()), None);
    for (expected, team, request) in [
        (Gap::Binding, &build, asked("github-ci", "api.github.com", "GET", Binding::SingleUse)),
        (Gap::Handle, &build, asked("github", "api.github.com", "GET", Binding::Session)),
        (Gap::Handle, &build, asked("Github-ci", "api.github.com", "GET", Binding::Session)),
        (Gap::Destination, &build, asked("github-ci", "github.com", "GET", Binding::Session)),
        (
            Gap::Destination,
            &build,
            asked("github-ci", "api.github.com:80", "GET", Binding::Session),
        ),
        (Gap::Destination, &build, asked("github-ci", "x.example", "GET", Binding::Session)),
        (Gap::Method, &build, asked("github-ci", "api.github.com", "POST", Binding::Session)),
        (Gap::Method, &build, asked("github-ci", "api.github.com", "get", Binding::Session)),
        (Gap::Claims, &json!("sales"), good()),
        (Gap::Claims, &json!(null), good()),
        (Gap::Claims, &json!("Build"), good()),
    ] {
        assert_eq!(gap(&grants, team, &request), Some(expected));
    }
}

#[test]
fn nothing_is_granted_without_a_grant_or_without_conditions() {
    let request = asked("github-ci", "api.github.com", "GET", Binding::Session);
    assert_eq!(gap(&Grants::default(), &json!("build"), &request), Some(Gap::Handle));
    let open = Grants::new(vec![grant(json!({}))], String::new());
    assert_eq!(gap(&open, &json!("build"), &request), Some(Gap::Claims));
}

#[test]
fn a_binding_must_be_granted_too() {
    for (granted, session, single_use) in [
        (GrantedBinding::Session, None, Some(Gap::Binding)),
        (GrantedBinding::SingleUse, Some(Gap::Binding), None),
        (GrantedBinding::Any, None, None),
    ] {
        let mut one = grant(json!({"team": ["build"]}));
        one.binding = granted;
        let grants = Grants::new(vec![one], String::new());
        let gap = |binding| {
            gap(&grants, &json!("build"), &asked("github-ci", "api.github.com", "GET", binding))
        };
        assert_eq!((gap(Binding::Session), gap(Binding::SingleUse)), (session, single_use));
    }
}

#[test]
fn the_first_covering_grant_counts() {
    let mut longer = grant(json!({"team": ["ops"]}));
    longer.ttl = 900;
    let grants = Grants::new(vec![grant(json!({"team": ["build"]})), longer], String::new());
    let request = asked("github-ci", "api.github.com", "GET", Binding::Session);
    let ttl = |team: &str| grants.covering(&session(&json!(team)), &request).unwrap().grant.ttl;
    assert_eq!((ttl("build"), ttl("ops")), (300, 900));
}

proptest! {
    #[test]
    fn no_other_request_is_granted(
        handle in "[a-z]{1,3}",
        host in "[a-c]{1,2}\\.example\\.com",
        port in 1u16..,
        method in "[A-Z]{1,6}",
    ) {
        let grants = Grants::new(vec![grant(json!({"team": ["build"]}))], String::new());
        let request = asked(&handle, &format!("{host}:{port}"), &method, Binding::Session);
        prop_assert!(grants.covering(&session(&json!("build")), &request).is_err());
    }
}

#[test]
fn a_claim_names_the_actor_or_nothing_is_granted() {
    let mut of_team = grant(json!({"iss": ["i"]}));
    of_team.actor = GrantActor::Claim("team".into());
    let grants = Grants::new(vec![of_team], String::new());
    let asked = asked("github-ci", "api.github.com", "GET", Binding::Session);
    let actor = |team: Value| grants.covering(&session(&team), &asked).map(|found| found.actor);
    for name in ["ada", "6c1f-3a.b_C", "0"] {
        assert_eq!(actor(json!(name)), Ok(name.parse().unwrap()));
    }
    let long = "a".repeat(129);
    let bad = [json!(null), json!(7), json!(true), json!(["ada"]), json!({"ada": 1})];
    let texts = ["", " ada", "ada/../bob", "-ada", "auth0|ada", "ada@example.com", &long];
    for team in bad.into_iter().chain(texts.map(|text| json!(text))) {
        assert_eq!(actor(team.clone()), Err(Gap::Actor), "{team}");
    }
    assert!(grants.handles_of_actors().is_empty());
}
