//! What clients and APIs send that is unusual and that HTTP allows: it passes.

use std::collections::HashMap;

use http::Request;
use stack::origin::{ScriptedAnswer, Seen};
use tests::guest;
use tests::scene::{API, LEASED, Scene};

/// `GET /v1/models` of [`API`] over h2.
fn get(scene: &Scene) -> http::request::Builder {
    Request::builder().method("GET").uri(format!("https://{}/v1/models", scene.at(API)))
}

#[test]
fn response_with_many_headers_reaches_the_guest() {
    let scene = Scene::explicit();
    let cookie = |n| ("set-cookie".to_owned(), format!("c{n}=v{n}; Secure"));
    let answer =
        ScriptedAnswer { status: 200, headers: (0..400).map(cookie).collect(), body: vec![] };
    let scripted_answers = HashMap::from([("/v1/models".to_owned(), answer)]);
    scene.stack.origin().unwrap().scripted_answers().replace(scripted_answers);
    let reply = scene.inside(API, scene.get(API, "/v1/models")).unwrap();
    assert_eq!((reply.status, reply.all("set-cookie").len()), (200, 400));
    let reply =
        scene.http2(API).unwrap().request(get(&scene).body(()).unwrap(), b"", None).unwrap();
    assert_eq!((reply.status, reply.all("set-cookie").len()), (200, 400));
}

/// RFC 9113 section 8.2.3: over h2 a cookie may come in as many fields as it has pairs.
#[test]
fn cookie_in_many_h2_fields_arrives_whole() {
    let scene = Scene::explicit();
    let request =
        (0..300).fold(get(&scene), |request, n| request.header("cookie", format!("c{n}=v")));
    let seen =
        scene.accepts("300 crumbs", || scene.http2(API)?.request(request.body(())?, b"", None));
    let cookies = seen.values("cookie").join(&b"; "[..]);
    assert_eq!(cookies.split(|byte| *byte == b';').count(), 300);
    assert_eq!(seen.values("authorization"), [LEASED.as_bytes()]);
}

/// RFC 9110 section 7.8: a server may ignore an offer to change the protocol.
#[test]
fn offer_of_another_protocol_is_ignored() {
    let offers = [
        "Connection: Upgrade\r\nUpgrade: TLS/1.2",
        "Connection: Upgrade\r\nUpgrade: tls/1.0",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA",
    ];
    let (explicit, gateway) = (Scene::explicit(), Scene::gateway());
    for offer in offers {
        let with_offer =
            |request: String| request.replacen("\r\n\r\n", &format!("\r\n{offer}\r\n\r\n"), 1);
        let seen = explicit
            .accepts(offer, || explicit.inside(API, with_offer(explicit.get(API, "/v1/models"))));
        assert_ignored(&seen, offer);
        let seen = gateway.accepts(offer, || {
            let (api, session) = (gateway.at(API), &gateway.session);
            let (edge, line) = (gateway.edge(), format!("GET /{api}/v1/models HTTP/1.1"));
            let head = format!("{line}\r\nHost: {edge}\r\nX-Leasehold-Session: {session}\r\n\r\n");
            guest::plain(edge, with_offer(head))
        });
        assert_ignored(&seen, offer);
    }
}

fn assert_ignored(seen: &Seen, offer: &str) {
    assert_eq!(seen.values("authorization"), [LEASED.as_bytes()], "{offer}");
    for name in ["upgrade", "http2-settings"] {
        assert!(seen.values(name).is_empty(), "{offer}: {name}");
    }
}
