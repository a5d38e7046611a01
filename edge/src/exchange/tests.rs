//! Phase by phase: what goes in, what comes out, and that nothing comes out without a permit and a
//! live lease.

use super::*;
use crate::config::Config;
use crate::headers::Headers;
use crate::policy::denial::Denial;
use crate::policy::edits::Edit;
use crate::request::{Request, Tunnel};
use crate::state::callout::{Answer, Callout, Purpose};
use crate::{Now, TrustEdge};
use proptest::prelude::*;
use serde_json::{Value, json};
use session::mint::SigningKey;
use session::{Algorithm, Refusal};
use std::sync::LazyLock;
use std::time::Duration;

pub(super) const NOW: u64 = 1_800_000_000;

static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::EdDsa, Some("k1")).unwrap());

pub(super) fn claims() -> Value {
    json!({
        "iss": "https://cp.example", "aud": "leasehold-edge", "sub": "agent-7", "jti": "j-1",
        "iat": NOW - 10, "exp": NOW + 600, "team": "build",
    })
}

pub(super) fn token_with(change: impl FnOnce(&mut Value)) -> String {
    let mut claims = claims();
    change(&mut claims);
    KEY.sign(&claims).unwrap()
}

pub(super) fn token() -> String {
    token_with(|_| {})
}

pub(super) fn config() -> Value {
    json!({
        "session": {
            "issuer": "https://cp.example",
            "audience": "leasehold-edge",
            "keys": {"jwks": {"keys": [KEY.public_jwk()]}},
        },
        // Not here: news have tests of their own.
        "custody": {"cluster": "custody", "sync": "off"},
        "destinations": [
            {
                "name": "github",
                "hosts": ["api.github.com"],
                "allow": [{"methods": ["GET"], "paths": ["/repos/acme/**"]}],
                "sessions": {"claims": {"team": ["build"]}},
                "credential": {"handle": "github-ci"},
            },
            {
                "name": "open",
                "hosts": ["*.open.example"],
                "ports": [443, 8443],
                "allow": [
                    {"methods": ["*"], "paths": ["/**"]},
                    {"methods": ["GET"], "paths": ["/ws"], "upgrades": ["websocket"]},
                ],
            },
        ],
    })
}

pub(super) fn edge_of(config: &Value) -> TrustEdge {
    edge_seeded(config, [7; 32])
}

pub(super) fn edge_seeded(config: &Value, seed: [u8; 32]) -> TrustEdge {
    let policy = Config::read(config.to_string().as_bytes());
    TrustEdge::new(policy.unwrap_or_else(|errors| panic!("{errors}")), seed, at(NOW))
}

/// Both clocks agree, unless a test changes that.
pub(super) fn at(unix: u64) -> Now {
    let wall = Duration::from_secs(unix);
    Now { wall, steady: wall }
}

/// Custody answers this wait's fetch.
pub(super) fn settle(wait: Wait, edge: &mut TrustEdge, answer: Answer<'_>, now: u64) -> Verdict {
    let completed = edge.answered(Purpose::Lease(wait.fetch()), answer, at(now)).unwrap();
    wait.settle(edge, &completed, at(now))
}

pub(super) fn edge() -> TrustEdge {
    edge_of(&config())
}

fn gateway() -> TrustEdge {
    let mut config = config();
    config["posture"] = json!("gateway");
    config["gateway"] = json!({"authorities": ["edge.internal:8080"]});
    edge_of(&config)
}

/// A decrypted request, its tunnel and SNI as an honest guest has them.
pub(super) fn request(method: &str, host: &str, path: &str, token: &str) -> Request {
    let headers = Headers::from([
        (":method", method),
        (":authority", host),
        (":path", path),
        (":scheme", "https"),
    ]);
    let name = host.split(':').next().unwrap();
    Request {
        headers,
        tunnel: Some(Tunnel {
            sni: Some(name.into()),
            authority: if host.contains(':') { host.into() } else { format!("{host}:443").into() },
            proxy_authorization: Some(format!("Bearer {token}").into()),
            refusal: None,
        }),
        place: None,
        has_body: false,
    }
}

pub(super) fn with<const N: usize>(mut request: Request, more: [(&str, &str); N]) -> Request {
    let more = more.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    request.headers = request.headers.iter().chain(more).collect();
    request
}

pub(super) fn plain(method: &str, authority: &str, path: &str) -> Request {
    let headers = Headers::from([
        (":method", method),
        (":authority", authority),
        (":path", path),
        (":scheme", "http"),
    ]);
    Request { headers, ..Request::default() }
}

pub(super) fn lease_body(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut lease = json!({
        "lease_id": "lse-1", "expires_at": NOW + 300, "renew_after": NOW + 240,
        "headers": [{"name": "authorization", "value": "Bearer s3cret"}], "binding": "session",
    });
    change(&mut lease);
    lease.to_string().into_bytes()
}

pub(super) fn admit(edge: &mut TrustEdge, request: Request) -> Verdict {
    AwaitRequest::default().admit(edge, request, at(NOW))
}

pub(super) fn denied(edge: &mut TrustEdge, request: Request) -> Denial {
    match admit(edge, request) {
        Verdict::Deny(denied) => denied.denial(),
        Verdict::Forward(_) | Verdict::RefuseInTunnel(_) => panic!("forwarded"),
        Verdict::Wait(_) | Verdict::Read(_) => panic!("it waits"),
    }
}

pub(super) fn asked(edge: &mut TrustEdge, request: Request) -> (Wait, Callout) {
    match admit(edge, request) {
        Verdict::Wait(wait) => (wait, edge.take_callouts().pop().expect("a callout")),
        Verdict::Deny(denied) | Verdict::RefuseInTunnel(denied) => panic!("{:?}", denied.denial()),
        Verdict::Forward(_) => panic!("forwarded"),
        Verdict::Read(_) => panic!("the body was wanted"),
    }
}

pub(super) fn forwarded(verdict: Verdict) -> Vec<String> {
    match verdict {
        Verdict::Forward(forwarded) => shown(&forwarded),
        Verdict::Deny(denied) | Verdict::RefuseInTunnel(denied) => panic!("{:?}", denied.denial()),
        Verdict::Wait(_) | Verdict::Read(_) => panic!("it waits"),
    }
}

/// `-name` and `name=value`, in order.
fn shown(forwarded: &Forwarded) -> Vec<String> {
    let show = |edit: Edit<'_>| match edit {
        Edit::Remove(name) => format!("-{}", name.escape_ascii()),
        Edit::Set { name, value } => format!("{name}={}", value.escape_ascii()),
    };
    forwarded.edits().iter().map(show).collect()
}

pub(super) fn refused(verdict: Verdict) -> Denial {
    match verdict {
        Verdict::Deny(denied) => denied.denial(),
        _ => panic!("not denied"),
    }
}

// === the way through ===

#[test]
fn a_lease_is_asked_for_and_written_over_what_the_guest_sent() {
    let mut edge = edge();
    let request = with(
        request("GET", "API.GitHub.com", "/repos/acme/%78?q", &token()),
        [("authorization", "Bearer guess"), ("authorization", "Bearer again"), ("proxy-foo", "1")],
    );
    let (wait, callout) = asked(&mut edge, request);
    assert_eq!(callout.cluster, "custody");
    let body: Value = serde_json::from_slice(&callout.body).unwrap();
    assert_eq!(body["handle"], "github-ci");
    assert_eq!(body["destination"], "api.github.com:443");
    assert_eq!(body["path"], "/repos/acme/x");
    assert_eq!(body["session"], token().as_str());
    let verdict =
        settle(wait, &mut edge, Answer::Response { status: 200, body: &lease_body(|_| {}) }, NOW);
    let expected = [
        ":authority=api.github.com",
        ":path=/repos/acme/x?q",
        "-authorization",
        "-proxy-foo",
        "authorization=Bearer s3cret",
    ];
    assert_eq!(forwarded(verdict), expected);
}

#[test]
fn a_lease_serves_its_own_scope_until_it_expires() {
    let mut edge = edge();
    let ask = || request("GET", "api.github.com", "/repos/acme/x", &token());
    let (wait, _) = asked(&mut edge, ask());
    let body = lease_body(|lease| lease["expires_at"] = json!(NOW + 20));
    settle(wait, &mut edge, Answer::Response { status: 200, body: &body }, NOW);
    assert_eq!(forwarded(admit(&mut edge, ask())), ["authorization=Bearer s3cret"]);
    let other = token_with(|claims| claims["jti"] = json!("j-2"));
    asked(&mut edge, request("GET", "api.github.com", "/repos/acme/x", &other));
    assert!(matches!(
        AwaitRequest::default().admit(&mut edge, ask(), at(NOW + 19)),
        Verdict::Forward(_)
    ));
    assert!(matches!(
        AwaitRequest::default().admit(&mut edge, ask(), at(NOW + 20)),
        Verdict::Wait(_)
    ));
}

#[test]
fn without_a_credential_nothing_is_asked_and_the_guests_own_stays() {
    let request = with(
        request("PUT", "a.open.example:8443", "/x", &token()),
        [
            ("authorization", "Bearer own"),
            ("connection", "keep-alive, authorization"),
            ("te", "gzip"),
        ],
    );
    assert_eq!(forwarded(admit(&mut edge(), request)), ["-connection", "-te"]);
}

#[test]
fn a_lease_belongs_to_its_token() {
    let mut edge = edge();
    let good = lease_body(|_| {});
    for token in [token(), token_with(|claims| claims["team"] = json!(["build", "ops"]))] {
        let ask = || request("GET", "api.github.com", "/repos/acme/x", &token);
        let (wait, _) = asked(&mut edge, ask());
        settle(wait, &mut edge, Answer::Response { status: 200, body: &good }, NOW);
        assert!(matches!(admit(&mut edge, ask()), Verdict::Forward(_)));
    }
}

#[test]
fn a_connect_is_checked_and_nothing_of_it_is_changed() {
    let bearer = format!("Bearer {}", token());
    let connect = |authority: &str| {
        with(plain("CONNECT", authority, ""), [("proxy-authorization", bearer.as_str())])
    };
    match admit(&mut edge(), connect("api.github.com:443")) {
        Verdict::Forward(forwarded) => {
            assert_eq!((forwarded.permit_kind(), shown(&forwarded)), (PermitKind::Connect, vec![]));
        }
        _ => panic!("not forwarded"),
    }
    assert_eq!(denied(&mut edge(), connect("evil.example:443")), Denial::HostNotAllowed);
    assert_eq!(denied(&mut edge(), connect("api.github.com:22")), Denial::PortNotAllowed);
    assert_eq!(denied(&mut edge(), connect("a b:443")), Denial::AuthorityMalformed);
    assert_eq!(
        denied(&mut edge(), plain("CONNECT", "api.github.com:443", "")),
        Denial::SessionMissing
    );
}

#[test]
fn a_gateway_finds_the_upstream_in_the_path_or_the_authority() {
    let bearer = format!("Bearer {}", token());
    let call = |edge: &mut TrustEdge, authority: &str, path: &str| {
        let request = with(plain("GET", authority, path), [("authorization", bearer.as_str())]);
        asked(edge, request)
    };
    for (authority, path) in [
        ("edge.internal:8080", "/api.github.com/repos/acme/x"),
        ("edge.internal:8080", "/API.github.com:443/repos/acme/x"),
        ("api.github.com", "/repos/acme/x"),
    ] {
        let mut edge = gateway();
        let (wait, callout) = call(&mut edge, authority, path);
        let body: Value = serde_json::from_slice(&callout.body).unwrap();
        assert_eq!(body["destination"], "api.github.com:443", "{authority}{path}");
        let answer = Answer::Response { status: 200, body: &lease_body(|_| {}) };
        let edits = forwarded(settle(wait, &mut edge, answer, NOW));
        assert!(edits.ends_with(&["-authorization".into(), "authorization=Bearer s3cret".into()]));
        assert_eq!(edits.contains(&":path=/repos/acme/x".into()), authority.starts_with("edge"));
        assert!(edits.contains(&":scheme=https".into()));
    }
    for (path, denial) in [
        ("/evil.example/x", Denial::HostNotAllowed),
        ("/", Denial::AuthorityMalformed),
        ("//api.github.com/x", Denial::AuthorityMalformed),
        ("/api.github.com%2frepos/acme", Denial::AuthorityMalformed),
        ("/api.github.com", Denial::PathNotAllowed),
    ] {
        let bearer = [("authorization", bearer.as_str())];
        let request = with(plain("GET", "edge.internal:8080", path), bearer);
        assert_eq!(denied(&mut gateway(), request), denial, "{path}");
    }
}

// === the ways that end ===

#[test]
fn one_and_the_same_host_or_nowhere() {
    let good = || request("GET", "api.github.com", "/repos/acme/x", &token());
    let tunnel_to = |authority: &str| {
        let mut request = good();
        request.tunnel.as_mut().unwrap().authority = authority.into();
        request
    };
    let sni = |sni: Option<&str>| {
        let mut request = good();
        request.tunnel.as_mut().unwrap().sni = sni.map(Into::into);
        request
    };
    assert_eq!(denied(&mut edge(), tunnel_to("a.open.example:443")), Denial::AuthorityMismatch);
    assert_eq!(denied(&mut edge(), tunnel_to("api.github.com:8443")), Denial::AuthorityMismatch);
    assert_eq!(denied(&mut edge(), tunnel_to("")), Denial::AuthorityMismatch);
    assert_eq!(denied(&mut edge(), sni(None)), Denial::SniMismatch);
    assert_eq!(denied(&mut edge(), sni(Some("a.open.example"))), Denial::SniMismatch);
    asked(&mut edge(), tunnel_to("API.github.com.:443"));
    asked(&mut edge(), sni(Some("Api.GitHub.com")));
    assert_eq!(denied(&mut edge(), Request { tunnel: None, ..good() }), Denial::ConnectRequired);
    let nested = request("CONNECT", "api.github.com:443", "", &token());
    assert_eq!(denied(&mut edge(), nested), Denial::NestedConnect);
    let to_gateway = plain("CONNECT", "api.github.com:443", "");
    assert_eq!(denied(&mut gateway(), to_gateway), Denial::NestedConnect);
}

#[test]
fn what_is_not_on_the_list() {
    for (method, host, path, denial) in [
        ("GET", "github.com", "/repos/acme/x", Denial::HostNotAllowed),
        ("GET", "open.example", "/", Denial::HostNotAllowed),
        ("GET", "10.0.0.1", "/", Denial::HostNotAllowed),
        ("GET", "api.github.com:8443", "/repos/acme/x", Denial::PortNotAllowed),
        ("POST", "api.github.com", "/repos/acme/x", Denial::MethodNotAllowed),
        ("get", "api.github.com", "/repos/acme/x", Denial::MethodNotAllowed),
        ("GET", "api.github.com", "/repos/evil/x", Denial::PathNotAllowed),
        ("GET", "api.github.com", "/repos/acme/../evil", Denial::PathMalformed),
        ("GET", "api.github.com", "/repos/acme%2f..%2fevil", Denial::PathMalformed),
    ] {
        assert_eq!(
            denied(&mut edge(), request(method, host, path, &token())),
            denial,
            "{host}{path}"
        );
    }
    let other_team = token_with(|claims| claims["team"] = json!("sales"));
    let request = request("GET", "api.github.com", "/repos/acme/x", &other_team);
    assert_eq!(denied(&mut edge(), request), Denial::SessionNotAllowed);
}

#[test]
fn a_bad_session_never_reaches_custody() {
    let bad = [
        (
            token_with(|claims| {
                (claims["iat"], claims["exp"]) = (json!(NOW - 90), json!(NOW - 30))
            }),
            Refusal::Expired,
        ),
        (token_with(|claims| claims["nbf"] = json!(NOW + 31)), Refusal::NotYetValid),
        (token_with(|claims| claims["iss"] = json!("x")), Refusal::Issuer),
        (token_with(|claims| claims["exp"] = json!("9")), Refusal::Claims("exp")),
        ("x".repeat(8193), Refusal::TooLarge),
        ("a.b.c".into(), Refusal::Malformed),
    ];
    for (token, refusal) in bad {
        let request = request("GET", "api.github.com", "/repos/acme/x", &token);
        assert_eq!(denied(&mut edge(), request), Denial::Session(refusal));
    }
}

#[test]
fn a_remembered_session_still_expires() {
    let mut edge = edge();
    let ask = || request("GET", "a.open.example", "/", &token());
    let then = |edge: &mut TrustEdge, now| AwaitRequest::default().admit(edge, ask(), at(now));
    assert!(matches!(then(&mut edge, NOW), Verdict::Forward(_)));
    assert!(matches!(then(&mut edge, NOW + 599), Verdict::Forward(_)));
    for now in [NOW + 600, NOW + 601, u64::MAX] {
        assert_eq!(refused(then(&mut edge, now)), Denial::Session(Refusal::Expired));
    }
    // And it is not remembered as bad either: time set back, it is judged anew.
    assert!(matches!(then(&mut edge, NOW), Verdict::Forward(_)));
}

proptest! {
    /// For every request, a credential goes only where the list allows it: to that host, that path.
    #[test]
    fn nothing_is_asked_outside_the_list(
        method in "GET|POST|get|\\*",
        host in "(api\\.)?github\\.com(\\.evil)?|a\\.open\\.example",
        path in "/(repos|acme|evil|\\.\\.|%2e|%2f|;|//|\\\\|\\?){0,6}",
    ) {
        let mut edge = edge();
        if let Verdict::Wait(_) = admit(&mut edge, request(&method, &host, &path, &token())) {
            let callout = edge.take_callouts().pop().unwrap();
            let body: Value = serde_json::from_slice(&callout.body).unwrap();
            prop_assert_eq!(&body["destination"], "api.github.com:443");
            let path = body["path"].as_str().unwrap();
            prop_assert!(path == "/repos/acme" || path.starts_with("/repos/acme/"));
            prop_assert!(!path.contains("..") && !path.contains("//"));
        }
    }
}
