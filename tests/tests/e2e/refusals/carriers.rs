//! A CONNECT that names more than one credential, in every order and spelling: it is refused, or the tunnel
//! belongs to the session that was judged, and no other session's request passes in it.

use anyhow::Result;
use serde_json::json;
use tests::guest::{self, Connected, basic, bearer};
use tests::scene::{API, LEASED, Scene, builder, policy};
use tests::wire::Wire;

/// Credentials of other schemes, as clients of corporate proxies send them.
const OTHERS: [&str; 5] = [
    "Proxy-Authorization: Negotiate x",
    "PROXY-AUTHORIZATION: NTLM TlRMTVNTUAAB",
    "proxy-authorization: Digest username=\"a\", realm=\"b\"",
    "Proxy-Authorization: Bearer",
    "Proxy-Authorization:",
];

/// The session in every carrier and spelling.
fn spelled(session: &str) -> Vec<String> {
    vec![
        bearer(session),
        basic("u", session),
        format!("pRoXy-AuThOrIzAtIoN: bEaReR   {session}"),
        basic("", session).replace("Basic", "bAsIc").trim_end_matches('=').to_owned(),
        format!("X-Leasehold-Session: {session}"),
        format!("x-leasehold-session: bearer {session}"),
        format!("Authorization: Bearer {session}"),
    ]
}

fn scene() -> Scene {
    let mut policy = policy();
    let carriers =
        json!(["proxy-authorization", {"header": "x-leasehold-session"}, "authorization"]);
    policy["session"] = json!({"carriers": carriers});
    Scene::start(builder().policy(policy))
}

fn connect(scene: &Scene, lines: &[String]) -> Result<Connected> {
    guest::connect(scene.edge(), &scene.at(API), lines)
}

fn get(scene: &Scene, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("GET /v1/models HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", scene.at(API))
}

/// The tunnel serves the session of its CONNECT, and refuses `stranger` in every carrier.
#[track_caller]
fn assert_belongs(scene: &Scene, lines: &[String], stranger: &str) {
    let case = lines.join(" | ");
    let tunnel = connect(scene, lines).and_then(Connected::tunnel);
    let tunnel = tunnel.unwrap_or_else(|error| panic!("{case}: {error:#}"));
    let ca = scene.stack.guest_ca().unwrap();
    let mut wire = Wire::new(guest::tls(tunnel, ca, Some(API), "http/1.1").unwrap());
    let mut own = |lines: &[String]| {
        let seen = scene.accepts(&case, || wire.exchange(get(scene, lines)));
        assert_eq!(seen.values("authorization"), [LEASED.as_bytes()], "{case}");
        assert!(!seen.header_names().iter().any(|name| name.starts_with("proxy-")), "{case}");
    };
    own(&[]);
    own(&[bearer(&scene.session)]);
    let mut strange = spelled(stranger).into_iter().map(|line| vec![line]).collect::<Vec<_>>();
    strange.push(vec![OTHERS[0].to_owned(), bearer(stranger)]);
    strange.push(vec![bearer(&scene.session), bearer(stranger)]);
    for strange in strange {
        let inside = format!("{case}, inside: {}", strange.join(" | "));
        scene.refuses(&inside, (401, "session_ambiguous"), || wire.exchange(get(scene, &strange)));
    }
}

#[test]
fn tunnel_belongs_to_the_session_that_was_judged_whatever_stands_beside_it() {
    let scene = scene();
    let stranger = scene.stack.mint(&json!({"team": "demo", "level": 3})).unwrap();
    let before_and_behind = |other: &str, own: &str| {
        let (other, own) = (other.to_owned(), own.to_owned());
        assert_belongs(&scene, &[other.clone(), own.clone()], &stranger);
        assert_belongs(&scene, &[own, other], &stranger);
    };
    for own in spelled(&scene.session) {
        assert_belongs(&scene, std::slice::from_ref(&own), &stranger);
        before_and_behind(OTHERS[0], &own);
    }
    for other in OTHERS {
        before_and_behind(other, &bearer(&scene.session));
    }
    // The same session more than once, with other schemes between.
    for lines in [
        vec![bearer(&scene.session), bearer(&scene.session)],
        vec![basic("u", &scene.session), OTHERS[0].to_owned(), bearer(&scene.session)],
        vec![OTHERS[1].to_owned(), OTHERS[0].to_owned(), bearer(&scene.session)],
        spelled(&scene.session),
    ] {
        assert_belongs(&scene, &lines, &stranger);
    }
}

#[test]
fn connect_with_two_sessions_or_with_none_that_counts_is_refused() {
    let scene = scene();
    let own = &scene.session;
    let stranger = scene.stack.mint(&json!({"team": "demo", "level": 3})).unwrap();
    let malformed = (407, "session_malformed");
    for first in spelled(own) {
        for second in spelled(&stranger) {
            // Envoy joins two of this header into one, which holds no token.
            let are_joined = [&first, &second].iter().all(|line| line.starts_with("Authorization"));
            let expected = if are_joined { malformed } else { (407, "session_ambiguous") };
            for lines in [
                vec![first.clone(), second.clone()],
                vec![second.clone(), first.clone()],
                vec![OTHERS[0].to_owned(), first.clone(), second.clone()],
            ] {
                let case = lines.join(" | ");
                scene.refuses(&case, expected, || connect(&scene, &lines)?.refused());
            }
        }
    }
    let missing = (407, "session_missing");
    for (expected, lines) in [
        (missing, OTHERS.map(str::to_owned).to_vec()),
        // One header field with two credentials in it is one credential of the first scheme.
        (missing, vec![format!("Proxy-Authorization: Negotiate x, Bearer {own}")]),
        (malformed, vec![format!("Proxy-Authorization: Bearer {own}, Negotiate x")]),
        (malformed, vec!["Proxy-Authorization: Basic !!!".to_owned(), bearer(own)]),
        // Servers that fold names read these as carriers; the edge does not.
        (missing, vec![OTHERS[0].to_owned(), format!("Proxy_Authorization: Bearer {own}")]),
        (missing, vec![OTHERS[0].to_owned(), format!("Proxy.Authorization: Bearer {own}")]),
    ] {
        let case = lines.join(" | ");
        scene.refuses(&case, expected, || connect(&scene, &lines)?.refused());
    }
}
