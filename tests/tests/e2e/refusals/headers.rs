//! What a guest writes into its headers: its own credentials never survive, nothing it says to
//! Envoy is obeyed, and messages that two parties would cut differently are refused.

use tests::guest::{basic, bearer};
use tests::scene::{API, LEASED, OPEN, Scene};
use tests::wire::Wire;

/// `GET /v1/models` with these header lines.
fn with(scene: &Scene, lines: &[&str]) -> String {
    let at = scene.at(API);
    format!("GET /v1/models HTTP/1.1\r\nHost: {at}\r\n{}\r\n\r\n", lines.join("\r\n"))
}

#[test]
fn the_guests_own_credential_is_replaced_by_the_lease() {
    let scene = Scene::explicit();
    for lines in [
        &["Authorization: Bearer mine"][..],
        &["authorization: Bearer mine"],
        &["AUTHORIZATION: Bearer mine"],
        &["aUtHoRiZaTiOn: Basic bWluZTptaW5l"],
        &["Authorization: Bearer mine", "Authorization: Bearer mine too"],
        &["Authorization: Bearer mine", "X-Between: 1", "AUTHORIZATION: Bearer mine too"],
        &["Authorization:"],
        &["Authorization: Bearer mine", "Connection: authorization"],
        &["Connection: authorization"],
        &["Connection: keep-alive, Authorization"],
        &["Connection: close, authorization, x-request-id"],
        &["Connection: upgrade, authorization", "Upgrade: websocket"],
        &["Connection: authorization", "Connection: upgrade", "Upgrade: websocket"],
        &["Connection: upgrade, AUTHORIZATION", "Upgrade: WebSocket", "Authorization: Bearer mine"],
        // CGI-like origins read these as Authorization.
        &["authorization_: Bearer mine", "x_authorization: Bearer mine"],
    ] {
        let case = lines.join(" | ");
        let seen = scene.accepts(&case, || scene.inside(API, with(&scene, lines)));
        assert_eq!(seen.values("authorization"), [LEASED.as_bytes()], "{case}");
        for (name, value) in seen.headers() {
            let value = String::from_utf8_lossy(value);
            assert!(!value.contains("mine") && !value.contains("bWluZ"), "{case}: {name}: {value}");
            assert!(!value.to_ascii_lowercase().contains("authorization"), "{case}: {name}");
        }
    }
    // Where no rule says so, a GET is not a WebSocket.
    let upgrade = "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let websocket = scene.get(OPEN, "/").replacen("\r\n\r\n", upgrade, 1);
    scene.refuses("WebSocket", (403, "upgrade_not_allowed"), || scene.inside(OPEN, websocket));
    // Without a credential of ours the guest's own is its own business.
    let open =
        scene.get(OPEN, "/").replacen("\r\n\r\n", "\r\nAuthorization: Bearer mine\r\n\r\n", 1);
    let seen = scene.accepts("no credential", || scene.inside(OPEN, open));
    assert_eq!(seen.values("authorization"), [b"Bearer mine"]);
}

#[test]
fn what_is_meant_for_the_edge_ends_at_the_edge() {
    let scene = Scene::explicit();
    let (own, basic) = (bearer(&scene.session), basic("u", &scene.session));
    for (case, line) in [
        ("the session", own.as_str()),
        ("the session in Basic", &basic),
        ("proxy-*", "Proxy-Foo: leave-me"),
        ("proxy-connection", "Proxy-Connection: keep-alive"),
        ("another scheme", "Proxy-Authorization: Negotiate leave-me"),
        ("keep-alive", "Keep-Alive: timeout=5, max=1000"),
        ("te", "TE: gzip"),
        ("trailer", "Trailer: authorization"),
        ("connection", "Connection: leave-me, keep-alive"),
        ("original path", "X-Envoy-Original-Path: /leave-me"),
        ("original method", "x-envoy-original-method: LEAVE-ME"),
        ("retries", "x-envoy-retry-on: 5xx,leave-me"),
        ("peer metadata", "x-envoy-peer-metadata: leave-me"),
        ("internal", "x-envoy-internal: true"),
        ("external address", "x-envoy-external-address: 10.0.0.1"),
        ("decorator", "x-envoy-decorator-operation: leave-me"),
        ("original destination", "x-envoy-original-dst-host: 127.0.0.1:1"),
        ("attempts", "x-envoy-attempt-count: 7"),
        ("expected timeout", "x-envoy-expected-rq-timeout-ms: 1"),
    ] {
        let seen = scene.accepts(case, || scene.inside(API, with(&scene, &[line])));
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        assert_eq!(seen.values(&name), Vec::<Vec<u8>>::new(), "{case}: {seen:?}");
        for (name, value) in seen.headers() {
            let value = String::from_utf8_lossy(value).to_ascii_lowercase();
            assert!(!value.contains("leave-me"), "{case}: {name}");
            assert!(!value.contains(&scene.session.to_ascii_lowercase()), "{case}: {name}");
            assert!(!name.starts_with("x-envoy-") && !name.starts_with("proxy-"), "{case}: {name}");
        }
    }
    for te in ["TE: trailers", "TE: gzip, trailers"] {
        let seen = scene.accepts(te, || scene.inside(API, with(&scene, &[te])));
        assert!(seen.values("te").iter().all(|value| value == b"trailers"), "{te}: {seen:?}");
    }
    let seen = scene.accepts("its own", || scene.inside(API, with(&scene, &["X-Own: stays"])));
    assert_eq!(seen.values("x-own"), [b"stays"]);
}

#[test]
fn envoy_obeys_no_header_of_a_guest() {
    let scene = Scene::explicit();
    let open = |path: &str, lines: &str| {
        let head = scene.get(OPEN, path);
        scene.inside(OPEN, head.replacen("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"), 1)).unwrap()
    };
    let retries =
        "x-envoy-retry-on: 5xx\r\nx-envoy-max-retries: 3\r\nx-envoy-hedge-on-per-try-timeout: true";
    assert_eq!(open("/status/503", retries).status, 503);
    assert_eq!(scene.stack.origin().unwrap().record().count_of("/status/503"), 1, "retried");
    let deadline = "x-envoy-upstream-rq-timeout-ms: 1\r\nx-envoy-upstream-rq-per-try-timeout-ms: 1";
    assert_eq!(open("/delay?ms=50", deadline).status, 204, "a deadline of the guest's");
    assert_eq!(
        open("/delay?ms=50", "grpc-timeout: 1m\r\ncontent-type: application/grpc").status,
        204
    );
}

#[test]
fn facts_of_the_tunnel_cannot_be_claimed_in_headers() {
    let scene = Scene::explicit();
    let (open, other) = (scene.at(OPEN), scene.stack.mint(&serde_json::json!({})).unwrap());
    let lines = |host: &str| {
        [
            format!("x-leasehold-connect-authority: {host}"),
            format!("leasehold.connect_authority: {host}"),
            "wasm.leasehold.permit: request".to_owned(),
            "leasehold.permit: request".to_owned(),
            "x-leasehold-permit: request".to_owned(),
            format!("x-forwarded-host: {host}"),
            format!("x-original-host: {host}"),
            "x-deny-reason: none".to_owned(),
        ]
        .join("\r\n")
    };
    let request = |path: &str, host: &str, lines: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n\r\n")
    };
    scene.refuses("another authority", (403, "authority_mismatch"), || {
        scene.inside(API, request("/v1/a", &open, &lines(&open)))
    });
    scene.refuses("a path", (403, "path_not_allowed"), || {
        scene.inside(API, request("/v2", &scene.at(API), &lines(&open)))
    });
    scene.refuses("no tunnel", (403, "connect_required"), || {
        let head = request(
            "/v1/a",
            &scene.at(API),
            &format!("{}\r\n{}", lines(&open), bearer(&scene.session)),
        );
        tests::guest::plain(scene.edge(), head)
    });
    scene.refuses("a session without the claim", (403, "session_not_allowed"), || {
        tests::guest::connect(scene.edge(), &scene.at(API), &[bearer(&other), lines(&open)])?
            .refused()
    });
    let seen = scene.accepts("the same, honestly", || {
        scene.inside(API, request("/v1/a", &scene.at(API), &lines(&open)))
    });
    assert_eq!((seen.host, seen.path.as_str()), (scene.at(API), "/v1/a"));
}

/// Headers under which one party sees a body where another sees the next request.
const ILL_FRAMED: &[(&str, &str)] = &[
    ("length and chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
    ("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
    ("two lengths", "Content-Length: 5\r\nContent-Length: 6"),
    ("two lengths in one", "Content-Length: 5, 6"),
    ("a negative length", "Content-Length: -5"),
    ("a length with a plus", "Content-Length: +5"),
    ("a hexadecimal length", "Content-Length: 0x5"),
    ("a length that overflows", "Content-Length: 18446744073709551617"),
    ("an empty length", "Content-Length:"),
    ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    ("chunked, identity", "Transfer-Encoding: chunked, identity"),
    ("xchunked", "Transfer-Encoding: xchunked"),
    ("gzip", "Transfer-Encoding: gzip"),
    ("gzip, chunked", "Transfer-Encoding: gzip, chunked"),
    ("quoted", "Transfer-Encoding: \"chunked\""),
    ("a space before the colon", "Transfer-Encoding : chunked"),
    ("a space before the colon", "Content-Length : 5"),
    ("a tab in a name", "Content\tLength: 5"),
    ("a NUL in a value", "X-A: b\0c"),
    ("no name", ": x"),
    ("no colon", "X-A"),
    ("a byte over 127 in a name", "X-\u{e9}: x"),
];

#[test]
fn messages_that_two_parties_would_cut_differently_are_refused() {
    let scene = Scene::explicit();
    let post = |lines: &str, body: &str| {
        let at = scene.at(API);
        format!("POST /v1/messages HTTP/1.1\r\nHost: {at}\r\n{lines}\r\n\r\n{body}")
    };
    let inner = "GET /v2/hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    let chunked = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    for (case, lines) in ILL_FRAMED {
        for body in ["hello", chunked.as_str()] {
            scene.drops(case, || scene.inside(API, post(lines, body)));
        }
    }
    for (case, body) in [
        ("no number", "zz\r\nhello\r\n0\r\n\r\n"),
        ("negative", "-5\r\nhello\r\n0\r\n\r\n"),
        ("overflow", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ] {
        let before = scene.stack.origin().unwrap().record().count_of("/v2/hidden");
        let got = scene.inside(API, post("Transfer-Encoding: chunked", body));
        assert!(got.is_err() || got.unwrap().status != 200, "{case}");
        assert_eq!(scene.stack.origin().unwrap().record().count_of("/v2/hidden"), before, "{case}");
    }
    // A bare CR is taken out (RFC 9112 section 2.2), and what is around it stays one value.
    let bare = "X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 5";
    let seen = scene.accepts("a bare CR", || scene.inside(API, post(bare, "hello")));
    assert_eq!(seen.values("x-a"), [b"bTransfer-Encoding: chunked"]);
    // A folded line becomes part of the value before it (RFC 9112 section 5.2).
    let folded = "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5";
    let seen = scene.accepts("folded", || scene.inside(API, post(folded, "hello")));
    let value = seen.values("x-a").concat();
    assert!(!value.contains(&b'\r') && !value.contains(&b'\n'), "{:?}", value.escape_ascii());
    assert!(seen.values("transfer-encoding").is_empty(), "{seen:?}");
    // What is one body stays one body.
    let length = format!("Content-Length: {}", inner.len());
    let seen = scene.accepts("a request in a body", || scene.inside(API, post(&length, inner)));
    assert_eq!(seen.path, "/v1/messages");
    let seen = scene.accepts("a request in a chunk", || {
        scene.inside(API, post("Transfer-Encoding: chunked", &chunked))
    });
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(scene.stack.origin().unwrap().record().count_of("/v2/hidden"), 0);
}

#[test]
fn every_request_of_a_connection_is_judged() {
    let scene = Scene::explicit();
    let mut wire = Wire::new(scene.tls(API).unwrap());
    scene.accepts("the first", || wire.exchange(scene.get(API, "/v1/first")));
    scene.refuses("the second", (403, "path_not_allowed"), || {
        wire.exchange(scene.get(API, "/v2/second"))
    });
    scene.accepts("the third", || wire.exchange(scene.get(API, "/v1/third")));
    // All in one write; the answers come in order.
    let both = format!("{}{}", scene.get(API, "/v1/fourth"), scene.get(API, "/v2/fifth"));
    wire.send(both).unwrap();
    let first = wire.read_reply("GET").unwrap();
    let second = wire.read_reply("GET").unwrap();
    assert_eq!((first.status, second.status), (200, 403));
    assert_eq!(second.reason().as_deref(), Some("path_not_allowed"));
    let record = scene.stack.origin().unwrap().record();
    let paths: Vec<_> = record.all().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/v1/first", "/v1/third", "/v1/fourth"]);
}
