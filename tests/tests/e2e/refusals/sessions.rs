//! Session tokens nobody should believe, on the CONNECT and inside the tunnel.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use stack::Credential;
use stack::sessions::{Sessions, now};
use tests::forge;
use tests::guest::{self, basic, bearer};
use tests::reply::Reply;
use tests::scene::{API, LEASED, OPEN, Scene, builder, policy};
use tests::wire::Wire;

/// What a token in some carrier is refused for.
type Forgery = (&'static str, &'static str, String);

fn connect(scene: &Scene, headers: &[String]) -> Result<Reply> {
    guest::connect(scene.edge(), &scene.at(API), headers)?.refused()
}

/// A session with these changes that would do if it were not for them.
fn with(sessions: &Sessions, changes: &Value) -> Value {
    let mut claims = json!({"team": "demo", "level": 3});
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    sessions.claims(&claims).unwrap()
}

#[test]
fn forgeries_under_eddsa_are_refused() {
    sessions_signed_with(Algorithm::EdDsa);
}

#[test]
fn forgeries_under_es256_are_refused() {
    sessions_signed_with(Algorithm::Es256);
}

#[test]
fn forgeries_under_rs256_are_refused() {
    sessions_signed_with(Algorithm::Rs256);
}

/// A stack that trusts one key of this algorithm: every forgery is refused on the CONNECT with a
/// challenge, and the accepted twins go all the way to the origin.
fn sessions_signed_with(algorithm: Algorithm) {
    let generate = || SigningKey::generate(algorithm, Some("key-1")).unwrap();
    let sessions = Sessions::with_key(generate());
    let mut policy = policy();
    policy["session"] = json!({"keys": {"jwks": sessions.jwks()}});
    let scene = Scene::start(builder().policy(policy));
    let mut forgeries = of_claims(&sessions);
    forgeries.extend(of_times(&sessions));
    forgeries.extend(of_keys(&sessions, &Sessions::with_key(generate())));
    forgeries.extend(of_shape(&sessions));
    for (case, reason, token) in forgeries {
        let case = format!("{} {case}", algorithm.name());
        for header in [bearer(&token), basic("anybody", &token)] {
            let reply = scene.refuses(&case, (407, reason), || connect(&scene, &[header]));
            let challenges = reply.all("proxy-authenticate");
            assert_eq!(challenges, ["Basic realm=\"leasehold\"", "Bearer realm=\"leasehold\""]);
        }
    }
    for (case, claims) in believed(&sessions) {
        let token = sessions.key().sign(&claims).unwrap();
        let seen = scene.accepts(case, || get_with(&scene, API, &bearer(&token)));
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{case}");
    }
    // A session ends at `exp`, for destinations with a credential and without one.
    let late = with(&sessions, &json!({"iat": now() - 60, "exp": now() - 5}));
    let late = bearer(&sessions.key().sign(&late).unwrap());
    for host in [API, OPEN] {
        let case = format!("expired a few seconds ago, {host}");
        scene.refuses(&case, (407, "session_expired"), || {
            guest::connect(scene.edge(), &scene.at(host), std::slice::from_ref(&late))?.refused()
        });
    }
}

/// `GET /v1/models` through a tunnel opened with this header.
fn get_with(scene: &Scene, host: &str, header: &str) -> Result<Reply> {
    let tunnel = guest::connect(scene.edge(), &scene.at(host), &[header.to_owned()])?.tunnel()?;
    let ca = scene.stack.guest_ca().unwrap();
    let tls = guest::tls(tunnel, ca, Some(host), "http/1.1")?;
    Wire::new(tls).exchange(scene.get(host, "/v1/models"))
}

fn of_claims(sessions: &Sessions) -> Vec<Forgery> {
    let now = now();
    [
        ("another issuer", "session_issuer", json!({"iss": "https://evil.test"})),
        (
            "the issuer with a slash",
            "session_issuer",
            json!({"iss": "https://control-plane.test/"}),
        ),
        ("another audience", "session_audience", json!({"aud": "another-edge"})),
        ("other audiences", "session_audience", json!({"aud": ["a", "b"]})),
        ("no audiences", "session_audience", json!({"aud": []})),
        ("iss missing", "session_claims", json!({"iss": null})),
        ("aud missing", "session_claims", json!({"aud": null})),
        ("sub missing", "session_claims", json!({"sub": null})),
        ("jti missing", "session_claims", json!({"jti": null})),
        ("exp missing", "session_claims", json!({"exp": null})),
        ("iat missing", "session_claims", json!({"iat": null})),
        ("exp a string", "session_claims", json!({"exp": (now + 60).to_string()})),
        (
            "exp a fraction, past",
            "session_expired",
            json!({"iat": now - 60, "exp": now as f64 - 0.5}),
        ),
        ("exp negative", "session_claims", json!({"exp": -1})),
        ("exp true", "session_claims", json!({"exp": true})),
        ("iat a string", "session_claims", json!({"iat": now.to_string()})),
        ("nbf a string", "session_claims", json!({"nbf": now.to_string()})),
        ("sub a number", "session_claims", json!({"sub": 7})),
        ("sub empty", "session_claims", json!({"sub": ""})),
        ("jti an array", "session_claims", json!({"jti": ["a"]})),
        ("iss an array", "session_claims", json!({"iss": [sessions.issuer()]})),
        ("aud a number", "session_claims", json!({"aud": 1})),
        ("aud mixed", "session_claims", json!({"aud": [sessions.audience(), 1]})),
    ]
    .map(|(case, reason, changes)| signed(sessions, case, reason, &changes))
    .into()
}

fn of_times(sessions: &Sessions) -> Vec<Forgery> {
    let now = now();
    [
        ("long expired", "session_expired", json!({"iat": now - 7200, "exp": now - 3700})),
        ("expired", "session_expired", json!({"iat": now - 600, "exp": now - 31})),
        ("nbf ahead", "session_not_yet_valid", json!({"nbf": now + 300})),
        ("iat ahead", "session_not_yet_valid", json!({"iat": now + 300, "exp": now + 600})),
        ("an hour and more", "session_lifetime", json!({"iat": now - 3601, "exp": now + 60})),
        ("a year", "session_lifetime", json!({"iat": now - 7200, "exp": now + 31_536_000})),
        ("for ever", "session_lifetime", json!({"iat": now - 3600, "exp": u64::MAX})),
        ("no time at all", "session_lifetime", json!({"iat": now, "exp": now})),
        ("backwards", "session_lifetime", json!({"iat": now + 20, "exp": now + 10})),
    ]
    .map(|(case, reason, changes)| signed(sessions, case, reason, &changes))
    .into()
}

/// Another key under the same name, headers that point elsewhere, algorithms that prove nothing.
fn of_keys(sessions: &Sessions, stranger: &Sessions) -> Vec<Forgery> {
    let claims = with(sessions, &json!({}));
    let key = sessions.key();
    let (good, jwk) = (key.sign(&claims).unwrap(), key.public_jwk());
    let header = |alg: &str| json!({"alg": alg, "kid": "key-1", "typ": "JWT"});
    let under = |header: &Value| key.sign_with_header(header, &claims).unwrap();
    let own = key.algorithm().name();
    let other = if own == "RS256" { "ES256" } else { "RS256" };
    let public: Vec<u8> = ["x", "n"]
        .iter()
        .find_map(|name| jwk.get(name)?.as_str())
        .map(|text| URL_SAFE_NO_PAD.decode(text).unwrap())
        .unwrap();
    vec![
        ("unknown kid", "session_unknown_key", under(&json!({"alg": own, "kid": "key-2"}))),
        ("no kid", "session_unknown_key", under(&json!({"alg": own}))),
        ("alg none", "session_algorithm", forge::unsigned(&header("none"), &claims)),
        ("alg None, signed", "session_algorithm", under(&header("None"))),
        ("HMAC, public key", "session_algorithm", forge::hmac(&header("HS256"), &claims, &public)),
        (
            "HMAC, public JWK",
            "session_algorithm",
            forge::hmac(&header("HS256"), &claims, jwk.to_string().as_bytes()),
        ),
        (
            "HMAC called by the key's algorithm",
            "session_signature",
            forge::hmac(&header(own), &claims, &public),
        ),
        ("another algorithm", "session_algorithm", under(&header(other))),
        ("a stranger's key", "session_signature", stranger.key().sign(&claims).unwrap()),
        (
            "a stranger's key in the header",
            "session_malformed",
            stranger
                .key()
                .sign_with_header(
                    &json!({"alg": own, "kid": "key-1", "jwk": stranger.key().public_jwk()}),
                    &claims,
                )
                .unwrap(),
        ),
        ("a bent signature", "session_signature", forge::bent_signature(&good)),
        (
            "other claims",
            "session_signature",
            forge::other_claims(&good, &with(sessions, &json!({"team": "root"}))),
        ),
    ]
}

fn of_shape(sessions: &Sessions) -> Vec<Forgery> {
    let claims = with(sessions, &json!({}));
    let key = sessions.key();
    let good = key.sign(&claims).unwrap();
    let own = key.algorithm().name();
    let crit = json!({"alg": own, "kid": "key-1", "crit": ["exp"]});
    let typ = json!({"alg": own, "kid": "key-1", "typ": "dpop+jwt"});
    let twice = claims.to_string().replacen('{', "{\"team\":\"root\",", 1);
    let header = json!({"alg": own, "kid": "key-1"}).to_string();
    vec![
        ("over 8 KiB", "session_too_large", padded(sessions, 8193)),
        ("far over 8 KiB", "session_too_large", "a".repeat(20_000)),
        ("garbage", "session_malformed", "garbage".to_owned()),
        ("three words", "session_malformed", "a.b.c".to_owned()),
        ("dots", "session_malformed", "..".to_owned()),
        ("four parts", "session_malformed", format!("{good}.x")),
        ("padded base64", "session_malformed", format!("{good}=")),
        ("no signature part", "session_malformed", good.rsplit_once('.').unwrap().0.to_owned()),
        ("crit", "session_malformed", key.sign_with_header(&crit, &claims).unwrap()),
        ("another typ", "session_malformed", key.sign_with_header(&typ, &claims).unwrap()),
        ("no JSON", "session_malformed", key.sign_raw(header.as_bytes(), b"{").unwrap()),
        (
            "a claim twice",
            "session_malformed",
            key.sign_raw(header.as_bytes(), twice.as_bytes()).unwrap(),
        ),
    ]
}

fn believed(sessions: &Sessions) -> [(&'static str, Value); 5] {
    let now = now();
    [
        ("as it should be", with(sessions, &json!({}))),
        ("one of several audiences", with(sessions, &json!({"aud": ["a", sessions.audience()]}))),
        ("3600 seconds", with(sessions, &json!({"iat": now, "exp": now + 3600}))),
        ("early within the leeway", with(sessions, &json!({"nbf": now + 20}))),
        ("with claims of its own", with(sessions, &json!({"x": {"y": [1, 2.5, null]}}))),
    ]
}

fn signed(
    sessions: &Sessions,
    case: &'static str,
    reason: &'static str,
    changes: &Value,
) -> Forgery {
    (case, reason, sessions.key().sign(&with(sessions, changes)).unwrap())
}

/// A good token of exactly `length` bytes, or one more where base64 cannot make that length.
fn padded(sessions: &Sessions, length: usize) -> String {
    let token = |pad: usize| {
        let claims = with(sessions, &json!({"jti": "padded", "pad": "p".repeat(pad)}));
        sessions.key().sign(&claims).unwrap()
    };
    let mut pad = (length - token(0).len()) * 3 / 4;
    while token(pad).len() < length {
        pad += 1;
    }
    token(pad)
}

#[test]
fn where_a_session_may_stand_and_how_often() {
    let scene = Scene::explicit();
    let (own, other) = (&scene.session, scene.stack.mint(&json!({"team": "demo"})).unwrap());
    let broken = STANDARD.encode("no colon");
    let missing = (407, "session_missing");
    let malformed = (407, "session_malformed");
    let ambiguous = (407, "session_ambiguous");
    for (case, expected, headers) in [
        ("nothing", missing, vec![]),
        ("another scheme", missing, vec!["Proxy-Authorization: Negotiate abc".to_owned()]),
        ("a bare scheme", missing, vec!["Proxy-Authorization: Bearer".to_owned()]),
        ("no scheme", missing, vec![format!("Proxy-Authorization: {own}")]),
        ("empty", missing, vec!["Proxy-Authorization:".to_owned()]),
        ("in Authorization", missing, vec![format!("Authorization: Bearer {own}")]),
        ("in a header of ours", missing, vec![format!("X-Leasehold-Session: {own}")]),
        ("in a cookie", missing, vec![format!("Cookie: session={own}")]),
        ("no base64", malformed, vec!["Proxy-Authorization: Basic !!!".to_owned()]),
        ("no colon", malformed, vec![format!("Proxy-Authorization: Basic {broken}")]),
        ("no password", malformed, vec![basic("user", "")]),
        ("the user name", malformed, vec![basic(own, "x")]),
        ("two that differ", ambiguous, vec![bearer(own), bearer(&other)]),
        ("two schemes that differ", ambiguous, vec![bearer(own), basic("u", &other)]),
        ("garbage behind a good one", ambiguous, vec![bearer(own), bearer("garbage")]),
        ("garbage before a good one", ambiguous, vec![bearer("garbage"), bearer(own)]),
    ] {
        scene.refuses(case, expected, || connect(&scene, &headers));
    }
    for (case, header) in [
        ("bearer", bearer(own)),
        ("odd case", format!("pRoXy-AuThOrIzAtIoN: bEaReR {own}")),
        ("basic", basic("session", own)),
        ("any user name", basic("x y z", own)),
        ("no user name", basic("", own)),
        ("lower-case basic", basic("u", own).replace("Basic", "basic")),
        ("without padding", basic("user", own).trim_end_matches('=').to_owned()),
        ("8192 bytes or just below", bearer(&padded_below(&scene))),
    ] {
        scene.accepts(case, || get_with(&scene, API, &header));
    }
}

/// A good token as long as a token may be.
fn padded_below(scene: &Scene) -> String {
    let sessions = scene.stack.sessions();
    let lengths = (8100..=8192).rev();
    let token = lengths.map(|length| padded(sessions, length)).find(|token| token.len() <= 8192);
    let token = token.unwrap();
    assert!(token.len() > 8180, "{}", token.len());
    token
}

#[test]
fn a_request_inside_the_tunnel_belongs_to_the_tunnels_session() {
    let scene = Scene::explicit();
    let other = scene.stack.mint(&json!({"team": "demo", "level": 3})).unwrap();
    let get = |headers: &[String]| {
        let head = scene.get(API, "/v1/models");
        let request =
            head.replacen("\r\n\r\n", &format!("\r\n{}\r\n\r\n", headers.join("\r\n")), 1);
        scene.inside(API, request)
    };
    let ambiguous = (401, "session_ambiguous");
    for (case, expected, headers) in [
        ("another session", ambiguous, vec![bearer(&other)]),
        ("another session in Basic", ambiguous, vec![basic("u", &other)]),
        ("garbage", ambiguous, vec![bearer("garbage")]),
        ("broken Basic", (401, "session_malformed"), vec!["Proxy-Authorization: Basic !".into()]),
    ] {
        let reply = scene.refuses(case, expected, || get(&headers));
        assert_eq!(reply.all("www-authenticate").len(), 2, "{case}");
    }
    for (case, headers) in [
        ("its own again", vec![bearer(&scene.session)]),
        ("its own in Basic", vec![basic("u", &scene.session)]),
    ] {
        let seen = scene.accepts(case, || get(&headers));
        assert_eq!(seen.values("proxy-authorization"), Vec::<Vec<u8>>::new(), "{case}");
    }
}

#[test]
fn every_configured_carrier_is_read_and_taken_out() {
    let mut policy = policy();
    let carriers =
        json!(["proxy-authorization", {"header": "x-leasehold-session"}, "authorization"]);
    policy["session"] = json!({"carriers": carriers});
    let scene = Scene::start(builder().policy(policy));
    let (own, other) = (&scene.session, scene.stack.mint(&json!({"team": "demo"})).unwrap());
    let get = |line: &str| {
        let head = scene.get(OPEN, "/");
        scene.inside(OPEN, head.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1))
    };
    for line in [
        format!("X-Leasehold-Session: {other}"),
        format!("X-Leasehold-Session: Bearer {other}"),
        format!("Authorization: Bearer {other}"),
        "Authorization: Bearer an.other.token".to_owned(),
    ] {
        scene.refuses(&line, (401, "session_ambiguous"), || get(&line));
    }
    for name in ["X-Leasehold-Session", "Authorization"] {
        let seen = scene.accepts(name, || get(&format!("{name}: Bearer {own}")));
        assert_eq!(seen.values(&name.to_ascii_lowercase()), Vec::<Vec<u8>>::new(), "{name}");
        // A CONNECT too may carry it there.
        let header = format!("{name}: Bearer {own}");
        scene.refuses(name, (403, "host_not_allowed"), || {
            guest::connect(scene.edge(), "evil.test:443", &[header])?.refused()
        });
    }
}

#[test]
fn a_session_that_ends_inside_a_tunnel_ends_there() {
    let mut policy = policy();
    policy["session"] = json!({"leeway": "0s"});
    let scene = Scene::start(builder().policy(policy));
    let claims = json!({"team": "demo", "level": 3, "iat": now() - 60, "exp": now() + 2});
    let session = scene.stack.mint(&claims).unwrap();
    let tls = scene.tls_with(&scene.at(OPEN), Some(OPEN), &session).unwrap();
    let mut wire = Wire::new(tls);
    scene.accepts("while it lives", || wire.exchange(scene.get(OPEN, "/")));
    let reply = loop {
        let reply = wire.exchange(scene.get(OPEN, "/")).unwrap();
        if reply.status != 200 {
            break reply;
        }
        assert!(now() < claims["exp"].as_u64().unwrap() + 2, "forwarded after its end");
    };
    assert_eq!((reply.status, reply.reason().as_deref()), (401, Some("session_expired")));
    scene.refuses("a new tunnel", (407, "session_expired"), || {
        scene.connect(&scene.at(OPEN), &session)?.refused()
    });
}

#[test]
fn claims_decide_who_may_use_a_destination() {
    let scene = Scene::explicit();
    let refused = (403, "session_not_allowed");
    for (case, host, claims) in [
        ("no claim", API, json!({})),
        ("another team", API, json!({"team": "ops"})),
        ("a prefix", API, json!({"team": "dem"})),
        ("another case", API, json!({"team": "Demo"})),
        ("an object", API, json!({"team": {"demo": true}})),
        ("an array without it", API, json!({"team": ["ops", "sales"]})),
        ("an array in an array", API, json!({"team": [["demo"]]})),
        ("one of two claims", OPEN, json!({"team": "demo"})),
        ("the number as text", OPEN, json!({"team": "demo", "level": "3"})),
        ("another number", OPEN, json!({"team": "demo", "level": 4})),
    ] {
        let session = scene.stack.mint(&claims).unwrap();
        scene.refuses(case, refused, || scene.connect(&scene.at(host), &session)?.refused());
    }
    for (case, host, claims) in [
        ("the claim", API, json!({"team": "demo"})),
        ("an array with it", API, json!({"team": ["ops", "demo"]})),
        ("the number", OPEN, json!({"team": "demo", "level": 3})),
        ("the other value", OPEN, json!({"team": ["demo"], "level": "all"})),
    ] {
        let session = scene.stack.mint(&claims).unwrap();
        scene.accepts(case, || {
            let tls = scene.tls_with(&scene.at(host), Some(host), &session)?;
            Wire::new(tls).exchange(scene.get(host, "/v1/models"))
        });
    }
}

#[test]
fn a_session_between_two_credentials_gets_neither() {
    let mut policy = policy();
    let (mut first, mut second) = (policy["destinations"][0].clone(), Value::Null);
    first["sessions"] = json!({"claims": {"team": ["build"]}});
    second.clone_from(&first);
    second["name"] = json!("second");
    second["sessions"] = json!({"claims": {"team": ["ops"]}});
    second["credential"] = json!({"handle": "second"});
    second["allow"][0]["paths"] = json!(["/v1/shared/**"]);
    policy["destinations"] = json!([first, second]);
    let second = Credential::bearer("second", "second-secret");
    let scene = Scene::start(builder().policy(policy).credential(second));
    let get = |teams: Value, path: &str| {
        let session = scene.stack.mint(&json!({"team": teams})).unwrap();
        Wire::new(scene.tls_with(&scene.at(API), Some(API), &session)?)
            .exchange(scene.get(API, path))
    };
    let both = || json!(["build", "ops"]);
    scene.refuses("both teams", (403, "destination_ambiguous"), || get(both(), "/v1/shared/a"));
    scene.refuses("neither path", (403, "path_not_allowed"), || get(json!("ops"), "/v1/a"));
    for (case, teams, path, value) in [
        ("where one matches", both(), "/v1/a", LEASED),
        ("one team", json!("build"), "/v1/shared/a", LEASED),
        ("the other", json!("ops"), "/v1/shared/a", "Bearer second-secret"),
    ] {
        let seen = scene.accepts(case, || get(teams, path));
        assert_eq!(seen.authorization().as_deref(), Some(value.as_bytes()), "{case}");
    }
}
