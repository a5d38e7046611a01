//! Where a tunnel may lead, and what may go through it: CONNECT target, server name and authority
//! are one and the same host, or nothing moves.

use anyhow::Result;
use http::{HeaderMap, Method, Request};
use serde_json::json;
use tests::guest::{self, bearer};
use tests::http2::Http2;
use tests::reply::Reply;
use tests::scene::{APEX, API, BELOW, LEASED, OPEN, Scene, UNLISTED};
use tests::wire::Wire;

#[test]
fn hosts_and_ports_that_are_not_listed_are_refused() {
    let scene = Scene::explicit();
    let port = scene.stack.origin().unwrap().port();
    let connect = |target: &str| scene.connect(target, &scene.session)?.refused();
    for host in [
        UNLISTED,
        APEX,
        "demo.test",
        "test",
        "xapi.demo.test",
        "x.api.demo.test",
        "api.demo.test.evil.test",
        "api-demo.test",
        "xwild.demo.test",
        "wild.demo.test.evil.test",
        "localhost",
        "169.254.169.254",
        "127.0.0.2",
        "127.0.0.2.",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "[64:ff9b::7f00:1]",
    ] {
        let target = format!("{host}:{port}");
        scene.refuses(&target, (403, "host_not_allowed"), || connect(&target));
    }
    for other in [1, 22, 80, 443, 65535] {
        let target = format!("{API}:{other}");
        scene.refuses(&target, (403, "port_not_allowed"), || connect(&target));
    }
    // Envoy takes no CONNECT without a port (RFC 9110 section 9.3.6).
    scene.drops("no port", || connect(API));
    for (host, arrives) in [
        (API, API),
        ("API.Demo.TEST", API),
        ("api.demo.test.", API),
        ("Api.Demo.Test.", API),
        (BELOW[0], BELOW[0]),
        (BELOW[1], BELOW[1]),
        ("A.Wild.demo.test", BELOW[0]),
    ] {
        let seen = scene.accepts(host, || {
            let target = format!("{host}:{port}");
            let tls = scene.tls_with(&target, Some(arrives), &scene.session)?;
            Wire::new(tls).exchange(format!("GET /v1/a HTTP/1.1\r\nHost: {target}\r\n\r\n"))
        });
        assert_eq!(seen.host, format!("{arrives}:{port}"), "{host}");
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{host}");
    }
}

#[test]
fn authorities_that_are_none_are_refused() {
    let scene = Scene::explicit();
    let port = scene.stack.origin().unwrap().port();
    let connect = |target: &str| scene.connect(target, &scene.session)?.refused();
    for target in [
        // What some resolver reads as 127.0.0.1.
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f000001:{port}"),
        format!("0x7f.0.0.1:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("127.0.0.01:{port}"),
        format!("127.0.0.0x1:{port}"),
        format!("1.2.3.4.5:{port}"),
        format!("256.0.0.1:{port}"),
        // Names and ports that are none.
        format!("api..demo.test:{port}"),
        format!(".api.demo.test:{port}"),
        format!("api.demo.test..:{port}"),
        format!("{}.demo.test:{port}", "a".repeat(64)),
        format!("{API}:0"),
        format!("{API}:0{port}"),
        format!("[127.0.0.1]:{port}"),
    ] {
        scene.refuses(&target, (403, "authority_malformed"), || connect(&target));
    }
    // What Envoy itself takes for no authority.
    for target in [
        format!("*.wild.demo.test:{port}"),
        format!("api.demo.test%2eevil.test:{port}"),
        format!("api.demo.test%00:{port}"),
        format!("user@api.demo.test:{port}"),
        format!("user:password@api.demo.test:{port}"),
        format!("api.demo.test:{port}@evil.test:{port}"),
        format!("{API}:+{port}"),
        format!("{API}:65536"),
        format!("{API}:"),
        format!("{API}:{port}:{port}"),
        format!("{API}:https"),
        format!("[api.demo.test]:{port}"),
        format!("[fe80::1%25eth0]:{port}"),
        format!("::1:{port}"),
        format!("https://{API}:{port}/"),
        format!("{API}:{port}/v1/models"),
        format!("{API}:{port}#x"),
        format!("{API}:{port}?x"),
        format!("api.demo.test\\.evil.test:{port}"),
        format!("api.demo.test\0.evil.test:{port}"),
        format!("api.demo.test\t:{port}"),
        format!("b\u{fc}cher.test:{port}"),
        format!("/{API}:{port}"),
        String::new(),
        "*".to_owned(),
    ] {
        scene.drops(&target, || connect(&target));
    }
    scene.accepts("a plain authority", || scene.inside(API, scene.get(API, "/v1/a")));
}

#[test]
fn only_tls_goes_through_a_tunnel() {
    let scene = Scene::explicit();
    let said = [
        ("plain HTTP", scene.get(API, "/v1/models")),
        ("a CONNECT", format!("CONNECT {} HTTP/1.1\r\n\r\n", scene.at(API))),
        ("ssh", "SSH-2.0-OpenSSH_9.9\r\n".to_owned()),
        ("h2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("a TLS record that is none", "\u{16}\u{3}\u{1}\0\u{5}hello".to_owned()),
    ];
    // At once, since Envoy takes a second to close a tunnel it gives up on.
    scene.drops("all of them", || {
        std::thread::scope(|scope| {
            for (case, said) in &said {
                let scene = &scene;
                scope.spawn(move || {
                    let tunnel = scene.connect(&scene.at(API), &scene.session).unwrap().tunnel();
                    let answer = Wire::new(tunnel.unwrap()).exchange(said);
                    assert!(answer.is_err(), "{case}: {answer:?}");
                });
            }
        });
        anyhow::bail!("nothing answers")
    });
    scene.accepts("TLS", || scene.inside(API, scene.get(API, "/v1/models")));
}

#[test]
fn nothing_goes_through_the_proxy_in_the_clear() {
    let scene = Scene::explicit();
    let session = bearer(&scene.session);
    let at = scene.at(API);
    let send = |line: &str, with: &str| {
        guest::plain(scene.edge(), format!("{line}\r\nHost: {at}\r\n{with}\r\n\r\n"))
    };
    for with in [session.as_str(), "Accept: */*"] {
        for (case, line) in [
            ("origin form", "GET /v1/models HTTP/1.1".to_owned()),
            // Old clients open tunnels with HTTP/1.0, and nothing else goes by it.
            ("HTTP/1.0", "GET /v1/a HTTP/1.0".to_owned()),
        ] {
            scene.refuses(case, (403, "connect_required"), || send(&line, with));
        }
        for (case, line) in [
            ("absolute form", format!("GET http://{at}/v1/models HTTP/1.1")),
            // axios up to 1.15 sends it.
            ("https in absolute form", format!("GET https://{at}/v1/models HTTP/1.1")),
            ("POST", format!("POST http://{at}/v1/messages HTTP/1.1")),
            ("an unlisted host", "GET http://other.demo.test/ HTTP/1.1".to_owned()),
            ("HTTP/1.0", format!("GET http://{at}/v1/a HTTP/1.0")),
        ] {
            // Envoy denies these in front of the filter, and before they have an id.
            let reply = send(&line, with).unwrap();
            let told = (reply.status, reply.reason(), reply.json()["reason"].clone());
            let code = "connect_required";
            assert_eq!(told, (403, Some(code.to_owned()), code.into()), "{case}");
        }
        assert_eq!((scene.arrived(), scene.asked()), (0, 0), "requests and callouts");
        let websocket = "GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket";
        scene.drops("a WebSocket", || send(websocket, with));
    }
    scene.refuses("CONNECT over HTTP/1.0", (403, "host_not_allowed"), || {
        send("CONNECT evil.test:443 HTTP/1.0", &session)
    });
    scene.drops("h2 with prior knowledge", || {
        let mut http2 = Http2::plain(guest::dial(scene.edge())?)?;
        let request = Request::builder().uri(format!("http://{at}/v1/models")).body(())?;
        http2.request(request, b"", None)
    });
    scene.drops("HTTP/1.0 inside", || {
        scene.inside(API, format!("GET /v1/models HTTP/1.0\r\nHost: {at}\r\n\r\n"))
    });
    scene.accepts("through a tunnel", || scene.inside(API, scene.get(API, "/v1/models")));
}

#[test]
fn a_connect_is_judged_by_its_target() {
    let scene = Scene::explicit();
    let session = bearer(&scene.session);
    let (api, open, unlisted) = (scene.at(API), scene.at(OPEN), scene.at(UNLISTED));
    let connect = |target: &str, host: &str| {
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {host}\r\n{session}\r\n\r\n");
        let mut wire = Wire::new(guest::dial(scene.edge())?);
        let reply = wire.exchange(head)?;
        anyhow::Ok((reply, wire))
    };
    scene.refuses("a listed Host", (403, "host_not_allowed"), || Ok(connect(&unlisted, &api)?.0));
    for (target, host) in [(&api, &unlisted), (&api, &open)] {
        let tls = |sni: &str| {
            let (reply, wire) = connect(target, host)?;
            anyhow::ensure!(reply.status == 200, "CONNECT refused: {}", reply.status);
            guest::tls(wire.into_inner(), scene.stack.guest_ca().unwrap(), Some(sni), "http/1.1")
        };
        scene.refuses(host, (403, "authority_mismatch"), || {
            Wire::new(tls(OPEN)?).exchange(scene.get(OPEN, "/v1/a"))
        });
        scene.accepts(host, || Wire::new(tls(API)?).exchange(scene.get(API, "/v1/a")));
    }
}

#[test]
fn a_tunnel_opens_no_tunnel() {
    let scene = Scene::explicit();
    for target in [scene.at(API), scene.at(OPEN), scene.at(UNLISTED)] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        scene.refuses(&target, (403, "nested_connect"), || scene.inside(API, &request));
        let session = bearer(&scene.session);
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{session}\r\n\r\n");
        scene.refuses(&target, (403, "nested_connect"), || scene.inside(API, &request));
        scene.refuses(&target, (403, "nested_connect"), || {
            let request = Request::builder().method(Method::CONNECT).uri(target.as_str());
            scene.http2(API)?.request(request.body(())?, b"", None)
        });
    }
    scene.accepts("a request", || scene.inside(API, scene.get(API, "/v1/models")));
}

#[test]
fn the_authority_inside_is_the_connects() {
    let scene = Scene::explicit();
    let port = scene.stack.origin().unwrap().port();
    let (api, open) = (scene.at(API), scene.at(OPEN));
    let mismatch = (403, "authority_mismatch");
    let get = |line: &str, host: &str| format!("GET {line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for (case, line, host) in [
        ("another listed host", "/v1/a".to_owned(), open.clone()),
        ("an unlisted host", "/v1/a".to_owned(), scene.at(UNLISTED)),
        ("another port", "/v1/a".to_owned(), format!("{API}:{}", port ^ 1)),
        ("no port", "/v1/a".to_owned(), API.to_owned()),
        ("a name below", "/v1/a".to_owned(), format!("x.{api}")),
        ("another in absolute form", format!("https://{open}/v1/a"), api.clone()),
        ("another in both", format!("https://{open}/v1/a"), open.clone()),
    ] {
        scene.refuses(case, mismatch, || scene.inside(API, get(&line, &host)));
    }
    let malformed = (403, "authority_malformed");
    let head = |hosts: &str| format!("GET /v1/a HTTP/1.1\r\n{hosts}\r\n\r\n");
    for (case, hosts) in [
        ("userinfo", format!("Host: user@{api}")),
        ("an odd number", "Host: 2130706433".to_owned()),
        ("an empty Host", "Host:".to_owned()),
        // Envoy makes one value of them, with a comma.
        ("two Hosts", format!("Host: {api}\r\nHost: {open}")),
        ("two Hosts", format!("Host: {open}\r\nHost: {api}")),
        ("two that agree", format!("Host: {api}\r\nHost: {api}")),
        ("Host and host", format!("Host: {api}\r\nhost: {open}")),
    ] {
        scene.refuses(case, malformed, || scene.inside(API, head(&hosts)));
    }
    for (case, hosts) in [
        ("a space", format!("Host: {API} evil:{port}")),
        ("a list", format!("Host: {api}, {open}")),
        ("a path", format!("Host: {api}/x")),
        ("no Host", "X-No: host".to_owned()),
    ] {
        scene.drops(case, || scene.inside(API, head(&hosts)));
    }
    for (case, line, host) in [
        ("the same", "/v1/a".to_owned(), api.clone()),
        ("in odd case", "/v1/a".to_owned(), format!("API.demo.Test:{port}")),
        ("with a dot", "/v1/a".to_owned(), format!("{API}.:{port}")),
        ("absolute form", format!("https://{api}/v1/a"), api.clone()),
        ("absolute form in the clear", format!("http://{api}/v1/a"), api.clone()),
        // RFC 9112 section 3.2.2: the absolute form's authority counts, Host does not.
        ("absolute form over Host", format!("https://{api}/v1/a"), open),
    ] {
        let seen = scene.accepts(case, || scene.inside(API, get(&line, &host)));
        assert_eq!((seen.host.as_str(), seen.path.as_str()), (api.as_str(), "/v1/a"), "{case}");
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{case}");
    }
}

#[test]
fn over_h2_too() {
    let scene = Scene::explicit();
    let request = |authority: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().uri(format!("https://{authority}/v1/a"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        scene.http2(API)?.request(request, b"", None)
    };
    let (api, open) = (scene.at(API), scene.at(OPEN));
    let mismatch = (403, "authority_mismatch");
    scene.refuses("another authority", mismatch, || request(&open, &[]));
    scene.refuses("unlisted", mismatch, || request(&scene.at(UNLISTED), &[]));
    scene.refuses("another authority, our Host", mismatch, || request(&open, &[("host", &api)]));
    let other = scene.stack.mint(&json!({"team": "demo"})).unwrap();
    let other = format!("Bearer {other}");
    scene.refuses("another session", (401, "session_ambiguous"), || {
        request(&api, &[("proxy-authorization", &other)])
    });
    // RFC 9113 section 8.3.1: the authority counts, Host does not.
    let seen = scene.accepts("another Host", || request(&api, &[("host", &open)]));
    assert_eq!((seen.host.as_str(), seen.values("host").len()), (api.as_str(), 0));
    let mine = [("authorization", "Bearer mine"), ("authorization", "Bearer mine too")];
    let seen = scene.accepts("two of its own", || request(&api, &mine));
    assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
    scene.accepts("trailers", || trailing(&scene));
    assert_eq!(trailing(&scene).unwrap().json()["trailers"], json!([]), "trailers do not pass");
}

/// A body and trailers that look like a credential.
fn trailing(scene: &Scene) -> Result<Reply> {
    let mut trailers = HeaderMap::new();
    trailers.insert("authorization", "Bearer mine".parse()?);
    let uri = format!("https://{}/v1/messages", scene.at(API));
    let request = Request::builder().method(Method::POST).uri(uri).body(())?;
    scene.http2(API)?.request(request, b"body", Some(trailers))
}

#[test]
fn the_server_name_is_the_authority() {
    let scene = Scene::explicit();
    let (api, open) = (scene.at(API), scene.at(OPEN));
    let through = |target: &str, sni: &str, host: &str| {
        let tls = scene.tls_with(target, Some(sni), &scene.session)?;
        Wire::new(tls).exchange(format!("GET /v1/a HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    };
    for (case, reason, [target, sni, host]) in [
        ("another server name", "sni_mismatch", [&*api, OPEN, &*api]),
        ("a server name below", "sni_mismatch", [&*api, BELOW[0], &*api]),
        ("server name and Host agree", "authority_mismatch", [&*api, OPEN, &*open]),
        ("CONNECT and server name agree", "authority_mismatch", [&*api, API, &*open]),
        ("without a credential", "sni_mismatch", [&*open, API, &*open]),
        ("towards a credential", "authority_mismatch", [&*open, API, &*api]),
    ] {
        scene.refuses(case, (403, reason), || through(target, sni, host));
    }
    scene.accepts("all three agree", || through(&api, API, &api));
}

#[test]
fn names_that_no_leaf_is_minted_for_get_no_handshake() {
    let scene = Scene::explicit();
    let target = scene.at(API);
    for (case, sni) in [
        ("an unlisted name", UNLISTED),
        ("the apex", APEX),
        ("a name nobody has", "evil.test"),
        ("a name that ends alike", "xapi.demo.test"),
        ("a name that begins alike", "api.demo.test.evil.test"),
    ] {
        scene.drops(case, || match scene.tls_with(&target, Some(sni), &scene.session) {
            Ok(_) => panic!("{case}: a handshake"),
            Err(error) => Err(error),
        });
    }
    // An address has no server name either (RFC 6066 section 3).
    let address = scene.at("127.0.0.1");
    scene.drops("no server name", || {
        std::thread::scope(|scope| {
            for (target, sni) in [(&target, None), (&address, Some("127.0.0.1"))] {
                let scene = &scene;
                scope.spawn(move || {
                    let tls = scene.tls_with(target, sni, &scene.session);
                    assert!(tls.is_err(), "{target}: a handshake");
                });
            }
        });
        anyhow::bail!("nothing answers")
    });
    scene.accepts("a listed name", || scene.inside(API, scene.get(API, "/v1/models")));
}
