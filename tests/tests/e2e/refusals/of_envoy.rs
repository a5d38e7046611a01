//! What Envoy refuses itself, without a code: each kind that docs/denials.md lists, by its status.

use std::collections::HashMap;

use stack::origin::ScriptedAnswer;
use tests::guest;
use tests::scene::{API, Scene};

/// A GET of [`API`] with these header lines.
fn get(scene: &Scene, lines: &str) -> String {
    format!("GET /v1/models HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", scene.at(API))
}

#[test]
fn invalid_requests_get_the_status_that_the_page_lists() {
    let scene = Scene::explicit();
    let many: String = (0..600).map(|n| format!("x-{n}: v\r\n")).collect();
    let long = format!("x-long: {}\r\n", "v".repeat(70 * 1024));
    let both = "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n";
    for (case, status, request) in [
        ("both lengths", 400, get(&scene, both)),
        ("a space before the colon", 400, get(&scene, "x-a : v\r\n")),
        ("a method that is not a token", 400, get(&scene, "").replacen("GET", "G(T", 1)),
        ("600 headers", 431, get(&scene, &many)),
        ("70 KiB of headers", 431, get(&scene, &long)),
        ("HTTP/1.0 in a tunnel", 426, get(&scene, "").replacen("HTTP/1.1", "HTTP/1.0", 1)),
        ("an unknown upgrade", 403, get(&scene, "Connection: Upgrade\r\nUpgrade: foo\r\n")),
    ] {
        let reply = scene.inside(API, request).unwrap();
        assert_eq!((reply.status, reply.reason()), (status, None), "{case}: {}", reply.text());
    }
    for target in [API, "a b:443", ":443", "api.demo.test:99999"] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        let reply = guest::plain(scene.edge(), request).unwrap();
        assert_eq!((reply.status, reply.reason()), (400, None), "{target}");
    }
    assert_eq!((scene.arrived(), scene.asked()), (0, 0), "requests and callouts");
}

#[test]
fn a_response_with_too_many_headers_is_a_502_or_503_without_a_code() {
    let scene = Scene::explicit();
    let cookie = |n| ("set-cookie".to_owned(), format!("c{n}=v"));
    let answer =
        ScriptedAnswer { status: 200, headers: (0..1100).map(cookie).collect(), body: vec![] };
    let answers = HashMap::from([("/v1/models".to_owned(), answer)]);
    scene.stack.origin().unwrap().scripted_answers().replace(answers);
    let reply = scene.inside(API, scene.get(API, "/v1/models")).unwrap();
    assert!(matches!(reply.status, 502 | 503), "{}", reply.status);
    assert_eq!(reply.reason(), None);
}
