//! The gateway posture: the session where an API key would be, the upstream in the path or in the
//! authority, and nothing else.

use anyhow::Result;
use http::Request;
use serde_json::json;
use stack::Way;
use stack::sessions::now;
use tests::guest::{self, basic, bearer};
use tests::http2::Http2;
use tests::reply::Reply;
use tests::scene::{APEX, API, BELOW, LEASED, OPEN, Scene, UNLISTED, builder, policy};

fn send(scene: &Scene, line: &str, host: &str, headers: &[String]) -> Result<Reply> {
    let lines: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    guest::plain(scene.edge(), format!("{line} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n"))
}

/// A GET below the edge's own name, with the scene's session.
fn get(scene: &Scene, target: &str) -> Result<Reply> {
    let session = format!("X-Leasehold-Session: {}", scene.session);
    send(scene, &format!("GET {target}"), &scene.edge().to_string(), &[session])
}

#[test]
fn where_a_session_may_stand() {
    let scene = Scene::gateway();
    let (own, other) = (&scene.session, scene.stack.mint(&json!({"team": "demo"})).unwrap());
    let header = |token: &str| format!("X-Leasehold-Session: {token}");
    let authorization = |token: &str| format!("Authorization: Bearer {token}");
    let expired = json!({"team": "demo", "iat": now() - 600, "exp": now() - 60});
    let expired = scene.stack.mint(&expired).unwrap();
    let line = format!("GET /{}/v1/models", scene.at(API));
    let edge = scene.edge().to_string();
    let missing = (401, "session_missing");
    let ambiguous = (401, "session_ambiguous");
    for (case, expected, headers) in [
        ("nothing", missing, vec![]),
        ("an empty header", missing, vec!["X-Leasehold-Session:".to_owned()]),
        ("an API key", (401, "session_malformed"), vec![authorization("sk-key")]),
        ("Basic", missing, vec![format!("Authorization: Basic {own}")]),
        ("no carrier of this posture", missing, vec![bearer(own)]),
        ("no carrier of this posture", missing, vec![basic("u", own)]),
        ("an API key header", (401, "session_malformed"), vec!["X-Api-Key: sk-key".to_owned()]),
        ("two that differ", ambiguous, vec![header(own), format!("X-Api-Key: {other}")]),
        ("two that differ", ambiguous, vec![header(own), authorization(&other)]),
        ("two that differ", ambiguous, vec![header(own), header(&other)]),
        // Envoy makes one value of them, with a comma.
        (
            "two that differ",
            (401, "session_malformed"),
            vec![authorization(own), authorization(&other)],
        ),
        ("expired", (401, "session_expired"), vec![header(&expired)]),
        ("expired", (401, "session_expired"), vec![authorization(&expired)]),
        ("garbage", (401, "session_malformed"), vec![header("garbage")]),
        ("too long", (401, "session_too_large"), vec![header(&"a".repeat(9000))]),
    ] {
        let reply = scene.refuses(case, expected, || send(&scene, &line, &edge, &headers));
        assert_eq!(reply.all("www-authenticate").len(), 2, "{case}");
    }
    for (case, headers) in [
        ("a header", vec![header(own)]),
        ("a header with a scheme", vec![header(&format!("Bearer {own}"))]),
        ("a header in odd case", vec![format!("x-lEASEHOLD-session: {own}")]),
        ("where the API key would be", vec![authorization(own)]),
        ("both alike", vec![header(own), authorization(own)]),
        ("a key beside a session", vec![header(own), authorization("sk-key")]),
        ("a key before a session", vec!["X-Leasehold-Session: none".into(), authorization(own)]),
        ("Basic", vec![basic("git", own).replace("Proxy-", "")]),
        ("an API key header", vec![format!("X-Api-Key: {own}")]),
        ("two API keys", vec![authorization("sk-key"), format!("X-Api-Key: {own}")]),
    ] {
        let seen = scene.accepts(case, || send(&scene, &line, &edge, &headers));
        assert_eq!(seen.path, "/v1/models", "{case}");
        assert_eq!(seen.host, scene.at(API), "{case}");
        assert_eq!(seen.values("authorization"), [LEASED.as_bytes()], "{case}");
        assert_eq!(seen.values("x-leasehold-session"), Vec::<Vec<u8>>::new(), "{case}");
    }
    // Where there is nothing to inject, the session is taken out all the same.
    let open = format!("GET /{}/", scene.at(OPEN));
    let seen = scene.accepts("open", || send(&scene, &open, &edge, &[authorization(own)]));
    assert_eq!(seen.values("authorization"), Vec::<Vec<u8>>::new());
}

#[test]
fn upstreams_that_are_not_listed_are_refused() {
    let scene = Scene::gateway();
    let port = scene.stack.origin().unwrap().port();
    for (target, reason) in [
        (format!("/{UNLISTED}:{port}/v1/a"), "host_not_allowed"),
        (format!("/{APEX}:{port}/"), "host_not_allowed"),
        (format!("/127.0.0.2:{port}/"), "host_not_allowed"),
        (format!("/[::1]:{port}/"), "host_not_allowed"),
        (format!("/{}/v1/a", scene.edge()), "host_not_allowed"),
        (format!("/{API}/v1/a"), "port_not_allowed"),
        (format!("/{API}:443/v1/a"), "port_not_allowed"),
        (format!("/{API}:{port}"), "path_not_allowed"),
        (format!("/{API}:{port}?/v1/a"), "path_not_allowed"),
        (format!("/{API}:{port}/v2/a"), "path_not_allowed"),
        (format!("/{API}:{port}//v1/a"), "path_malformed"),
        (format!("/{API}:{port}/v1/../v2"), "path_malformed"),
        (format!("/{API}:{port}/v1/%2e%2e/v2"), "path_malformed"),
        (format!("/{OPEN}:{port}/../{API}:{port}/v1/a"), "path_malformed"),
        (format!("/v1/../{API}:{port}/v1/a"), "path_malformed"),
        (format!("/v1/{API}:{port}/v1/a"), "host_not_allowed"),
        (format!("/user@{API}:{port}/v1/a"), "authority_malformed"),
        (format!("/%61pi.demo.test:{port}/v1/a"), "authority_malformed"),
        (format!("/{API}%3a{port}/v1/a"), "authority_malformed"),
        (format!("/{API}:{port}%2fv1/a"), "authority_malformed"),
        (format!("/{API}:{port}\\v1/a"), "authority_malformed"),
        (format!("/{API}:{port};/v1/a"), "authority_malformed"),
        (format!("//{API}:{port}/v1/a"), "authority_malformed"),
        (format!("/https://{API}:{port}/v1/a"), "authority_malformed"),
        (format!("/2130706433:{port}/"), "authority_malformed"),
        (format!("/127.1:{port}/"), "authority_malformed"),
        (format!("/../{API}:{port}/v1/a"), "authority_malformed"),
        ("/".to_owned(), "authority_malformed"),
        ("/?".to_owned(), "authority_malformed"),
    ] {
        scene.refuses(&target, (403, reason), || get(&scene, &target));
    }
    for (target, host, path) in [
        (format!("/{API}:{port}/v1/%61?b"), API, "/v1/a?b"),
        (format!("/API.demo.Test.:{port}/v1/a"), API, "/v1/a"),
        (format!("/{}:{port}/", BELOW[1]), BELOW[1], "/"),
        (format!("/{OPEN}:{port}"), OPEN, "/"),
        (format!("/{OPEN}:{port}/?q=/v1"), OPEN, "/?q=/v1"),
        (format!("/127.0.0.1:{port}/a"), "127.0.0.1", "/a"),
    ] {
        let seen = scene.accepts(&target, || get(&scene, &target));
        assert_eq!((seen.host, seen.path.as_str()), (scene.at(host), path), "{target}");
    }
}

#[test]
fn other_authorities_are_the_upstream_itself() {
    let scene = Scene::gateway();
    let port = scene.stack.origin().unwrap().port();
    let api = scene.at(API);
    let session = [format!("X-Leasehold-Session: {}", scene.session)];
    let refused = |host: &str| send(&scene, "GET /v1/a", host, &session);
    for (host, reason) in [
        (scene.at(UNLISTED), "host_not_allowed"),
        (scene.at(APEX), "host_not_allowed"),
        (API.to_owned(), "port_not_allowed"),
        (scene.at("127.0.0.2"), "host_not_allowed"),
        // The edge's address without its port is not its name.
        (scene.edge().ip().to_string(), "host_not_allowed"),
        (format!("2130706433:{port}"), "authority_malformed"),
        (format!("user@{api}"), "authority_malformed"),
    ] {
        scene.refuses(&host, (403, reason), || refused(&host));
    }
    scene.refuses("DELETE", (403, "method_not_allowed"), || {
        send(&scene, "DELETE /v1/a", &api, &session)
    });
    scene.refuses("CONNECT", (403, "nested_connect"), || {
        send(&scene, &format!("CONNECT {api}"), &api, &session)
    });
    scene.refuses("two Hosts", (403, "authority_malformed"), || {
        let hosts = format!("{}\r\nHost: {api}", scene.at(OPEN));
        send(&scene, "GET /v1/a", &hosts, &session)
    });
    for (case, line, host) in [
        ("its name", "GET /v1/a".to_owned(), api.clone()),
        ("in odd case", "GET /v1/a".to_owned(), format!("API.demo.Test:{port}")),
        ("absolute form", format!("GET http://{api}/v1/a"), api.clone()),
        (
            "by the edge's name",
            format!("GET /{api}/v1/a"),
            format!("localhost:{}", scene.edge().port()),
        ),
    ] {
        let seen = scene.accepts(case, || send(&scene, &line, &host, &session));
        assert_eq!((seen.host.as_str(), seen.path.as_str()), (api.as_str(), "/v1/a"), "{case}");
        assert_eq!(seen.values("authorization"), [LEASED.as_bytes()], "{case}");
    }
    let request = |authority: &str| {
        let request = Request::builder()
            .uri(format!("http://{authority}/v1/a"))
            .header("x-leasehold-session", &scene.session)
            .body(())?;
        Http2::plain(guest::dial(scene.edge())?)?.request(request, b"", None)
    };
    scene.refuses("h2", (403, "host_not_allowed"), || request(&scene.at(UNLISTED)));
    scene.accepts("h2", || request(&api));
}

#[test]
fn what_custody_does_not_grant_is_not_leased() {
    let grants = vec![
        json!({"handle": "api", "destinations": ["a.wild.demo.test:$ORIGIN_PORT"], "claims": {"team": ["demo"]}}),
        json!({"handle": "api", "destinations": ["b.a.wild.demo.test:$ORIGIN_PORT"], "claims": {"team": ["ops"]}}),
        json!({"handle": "other", "destinations": ["api.demo.test:$ORIGIN_PORT"], "claims": {"team": ["demo"]}}),
    ];
    let scene = Scene::start(builder().policy(policy()).way(Way::Gateway).grants(grants));
    for (case, host) in [
        ("another handle", API),
        ("another team", BELOW[1]),
        ("not below a grant", "c.wild.demo.test"),
    ] {
        let reply = get(&scene, &format!("/{}/v1/a", scene.at(host))).unwrap();
        assert_eq!(
            (reply.status, reply.reason().as_deref()),
            (403, Some("custody_refused")),
            "{case}"
        );
        assert_eq!(scene.arrived(), 0, "{case}");
    }
    scene.accepts("granted", || get(&scene, &format!("/{}/v1/a", scene.at(BELOW[0]))));
}

/// `proxy_pass` of nginx and `ab` speak it.
#[test]
fn http_1_0_is_judged_as_http_1_1() {
    let scene = Scene::gateway();
    let (edge, api) = (scene.edge(), scene.at(API));
    let with = |path: &str, session: &str| {
        let lines = format!("Host: {edge}\r\nX-Leasehold-Session: {session}\r\n");
        guest::plain(edge, format!("GET /{api}{path} HTTP/1.0\r\n{lines}\r\n"))
    };
    let seen = scene.accepts("a session", || with("/v1/models", &scene.session));
    assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
    scene.refuses("a path", (403, "path_not_allowed"), || with("/v2", &scene.session));
    scene.refuses("no session", (401, "session_missing"), || with("/v1/models", ""));
    scene.drops("no host", || {
        let session = &scene.session;
        let lines = format!("X-Leasehold-Session: {session}\r\n");
        guest::plain(edge, format!("GET /{api}/v1/models HTTP/1.0\r\n{lines}\r\n"))
    });
}
