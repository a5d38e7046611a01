//! A CONNECT that is denied opens a tunnel in which every request gets the same denial.

use std::io::ErrorKind::UnexpectedEof;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use http::Request;
use serde_json::json;
use tests::guest::{self, bearer};
use tests::scene::{API, BELOW, LEASED, OPEN, Scene, UNLISTED};
use tests::wire::Wire;

use crate::statistics;

fn expired(scene: &Scene) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = json!({"team": "demo", "iat": now - 1800, "exp": now - 900});
    scene.stack.mint(&claims).unwrap()
}

#[test]
fn every_request_gets_the_denial_of_its_connect_and_none_goes_further() {
    let scene = Scene::refusing_in_tunnel();
    let sales = scene.stack.mint(&json!({"team": "sales"})).unwrap();
    let good = scene.session.clone();
    for (case, host, session, expected) in [
        ("an unlisted host", UNLISTED, &good, (403, "host_not_allowed")),
        ("another team", API, &sales, (403, "session_not_allowed")),
        ("an expired session", API, &expired(&scene), (401, "session_expired")),
        ("a token that is none", API, &"x.y.z".to_owned(), (401, "session_malformed")),
    ] {
        let at = scene.at(host);
        let carried = format!("Proxy-Authorization: Bearer {good}\r\nX-Leasehold-Session: {good}");
        for (sni, target) in [(host, &at), (API, &scene.at(API)), (OPEN, &scene.at(OPEN))] {
            let head = format!("GET /v1/models HTTP/1.1\r\nHost: {target}\r\n{carried}\r\n\r\n");
            scene.refuses(case, expected, || {
                Wire::new(scene.tls_with(&at, Some(sni), session)?).exchange(&head)
            });
        }
        let over_h2 = || {
            let tunnel = scene.connect(&at, session)?.tunnel()?;
            let ca = scene.stack.guest_ca().unwrap();
            let mut http2 = tests::http2::Http2::over_tls(tunnel, ca, host)?;
            let request = Request::post(format!("https://{at}/v1/models")).body(())?;
            http2.request(request, b"a body", None)
        };
        scene.refuses(case, expected, over_h2);
    }
    let websocket = "GET /v1/ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    let head = format!("{websocket}Host: {}\r\n\r\n", scene.at(UNLISTED));
    scene.refuses("a WebSocket", (403, "host_not_allowed"), || scene.inside(UNLISTED, &head));
    let seen = scene.accepts("what is listed", || scene.inside(API, scene.get(API, "/v1/models")));
    assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
}

#[test]
fn a_connect_that_no_client_could_begin_tls_in_keeps_its_status() {
    let scene = Scene::refusing_in_tunnel();
    let connect =
        |target: &str, headers: &[String]| guest::connect(scene.edge(), target, headers)?.refused();
    let session = [bearer(&scene.session)];
    scene.refuses("no session", (407, "session_missing"), || connect(&scene.at(API), &[]));
    let address = scene.at("127.0.0.2");
    scene.refuses("an address", (403, "host_not_allowed"), || connect(&address, &session));
    let ssh = format!("{UNLISTED}:22");
    scene.refuses("another port", (403, "host_not_allowed"), || connect(&ssh, &session));
}

/// What was denied may be allowed a second later, so no client keeps such a tunnel.
#[test]
fn a_tunnel_that_is_idle_for_a_second_ends() {
    let scene = Scene::refusing_in_tunnel();
    let mut wire = Wire::new(scene.tls(UNLISTED).unwrap());
    for _ in 0..2 {
        assert_eq!(wire.exchange(scene.get(UNLISTED, "/")).unwrap().status, 403);
    }
    let begun = Instant::now();
    assert!(wire.into_inner().read(&mut [0]).map_or(true, |read| read == 0), "the edge closes it");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// The begin of a connection, which gives each stream this window, and of a request to [`UNLISTED`] with these flags
/// (RFC 9113 section 6.2).
fn begun_over_h2(window: u8, flags: u8) -> Vec<u8> {
    let mut begun = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS: the window (RFC 9113 section 6.5.2).
    begun.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, window, 0]);
    // HEADERS: POST https /, and an authority as a literal (RFC 7541 appendix A).
    let length = u8::try_from(UNLISTED.len()).unwrap();
    begun.extend([0, 0, length + 5, 1, flags, 0, 0, 0, 1, 0x83, 0x87, 0x84, 0x01, length]);
    begun.extend(UNLISTED.as_bytes());
    begun
}

/// A guest that never lets the reply come would hold one of the few places of such tunnels for minutes.
#[test]
fn a_tunnel_whose_guest_never_reads_the_reply_ends() {
    let scene = Scene::refusing_in_tunnel();
    let tunnel = scene.connect(&scene.at(UNLISTED), &scene.session).unwrap().tunnel().unwrap();
    let ca = scene.stack.guest_ca().unwrap();
    let mut tls = guest::tls(tunnel, ca, Some(UNLISTED), "h2").unwrap();
    tls.sock.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = begun_over_h2(0, 5);
    tls.write_all(&request).unwrap();
    let begun = Instant::now();
    let mut answer = Vec::new();
    let ended = tls.read_to_end(&mut answer).map_or_else(|error| error.kind(), |_| UnexpectedEof);
    assert!(!answer.is_empty(), "Envoy answers");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}, {ended}", begun.elapsed());
}

/// Python's h2 and the JVM reject a reply behind a GOAWAY.
#[test]
fn a_slow_upload_gets_its_denial_before_the_end_of_the_connection() {
    let scene = Scene::refusing_in_tunnel();
    let tunnel = scene.connect(&scene.at(UNLISTED), &scene.session).unwrap().tunnel().unwrap();
    let ca = scene.stack.guest_ca().unwrap();
    let mut tls = guest::tls(tunnel, ca, Some(UNLISTED), "h2").unwrap();
    tls.sock.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    tls.write_all(&begun_over_h2(0x10, 4)).unwrap();
    for piece in 1..=25 {
        std::thread::sleep(Duration::from_millis(500));
        // DATA of one byte; the last one ends the request.
        tls.write_all(&[0, 0, 1, 0, u8::from(piece == 25), 0, 0, 0, 1, b'x']).unwrap();
    }
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer);
    let kinds = kinds_of_frames(&answer);
    let [headers, goaway] = [1, 7].map(|wanted| kinds.iter().position(|kind| *kind == wanted));
    assert!(headers.is_some_and(|at| goaway.is_none_or(|end| at < end)), "{kinds:?}");
}

/// The types of the frames (RFC 9113 section 4.1).
fn kinds_of_frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, rest @ ..] = bytes {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        bytes = rest.get(length + 5..).unwrap_or_default();
    }
    kinds
}

/// leaf-ca bounds names outside the policy, and names of the policy do not share that bound.
#[test]
fn made_up_names_take_no_leaf_from_listed_names() {
    let scene = Scene::refusing_in_tunnel();
    scene.accepts("a listed name", || scene.inside(API, scene.get(API, "/v1/models")));
    let leaves = (0..200).filter(|number| {
        let name = format!("made-up-{number}.test");
        scene.tls_with(&scene.at(&name), Some(&name), &scene.session).is_ok()
    });
    let leaves = leaves.count();
    assert!((32..200).contains(&leaves), "{leaves} leaves for made-up names");
    for name in [API, OPEN, BELOW[0]] {
        scene.accepts(name, || scene.inside(name, scene.get(name, "/v1/models")));
    }
}

#[test]
fn hosts_that_are_refused_make_no_statistics() {
    statistics::assert_few_new_names(&Scene::refusing_in_tunnel(), statistics::spell_refused);
}

#[test]
fn the_access_log_of_the_connect_has_the_code() {
    let scene = Scene::refusing_in_tunnel();
    let connected = scene.connect(&scene.at(UNLISTED), &scene.session).unwrap();
    drop(connected.tunnel().unwrap());
    let logged = || {
        let output = scene.stack.envoy().unwrap().output().unwrap();
        output.lines().any(|line| line.contains("CONNECT") && line.contains("host_not_allowed"))
    };
    crate::wide::wait_until("a line in the access log", logged);
}
