//! A denial while the body is on its way: the guest sends to the end, and reads the denial.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use http::{Method, Request};
use serde_json::json;
use tests::guest;
use tests::reply::Reply;
use tests::scene::{API, Scene, builder};
use tests::wire::Wire;

const DENIED: (u16, &str) = (403, "path_not_allowed");
/// Far beyond what the edge keeps of a body.
const LARGE: usize = 20 * 1024 * 1024;

/// The head of a POST to a path that is not allowed, with these header lines.
fn head(scene: &Scene, lines: &str) -> String {
    format!("POST /v2/files HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", scene.at(API))
}

fn whole(scene: &Scene, length: usize) -> Vec<u8> {
    let mut request = head(scene, &format!("Content-Length: {length}\r\n")).into_bytes();
    request.resize(request.len() + length, b'x');
    request
}

fn chunked(scene: &Scene, length: usize) -> Vec<u8> {
    let mut request = head(scene, "Transfer-Encoding: chunked\r\n").into_bytes();
    for _ in 0..length.div_ceil(65536) {
        request.extend_from_slice(b"10000\r\n");
        request.resize(request.len() + 65536, b'x');
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

fn over_h2(scene: &Scene, length: usize) -> Result<Reply> {
    let uri = format!("https://{}/v2/files", scene.at(API));
    let request = Request::builder().method(Method::POST).uri(uri).body(())?;
    scene.http2(API)?.request(request, &vec![b'x'; length], None)
}

#[test]
fn a_client_that_sends_a_large_body_first_reads_the_denial() {
    let scene = Scene::explicit();
    for _ in 0..3 {
        scene.refuses("HTTP/1.1", DENIED, || scene.inside(API, whole(&scene, LARGE)));
        scene.refuses("chunked", DENIED, || scene.inside(API, chunked(&scene, LARGE)));
        scene.refuses("h2", DENIED, || over_h2(&scene, LARGE));
    }
    let scene = Scene::gateway();
    let carried = format!("X-Leasehold-Session: {}\r\n", scene.session);
    let request = || {
        let lines = format!("{carried}Content-Length: {LARGE}\r\n");
        let mut request = head(&scene, &lines).into_bytes();
        request.resize(request.len() + LARGE, b'x');
        guest::plain(scene.edge(), request)
    };
    scene.refuses("the gateway", DENIED, request);
}

/// The connection goes on: the denial is no reason to open another.
#[test]
fn a_denial_behind_its_body_leaves_the_connection_open() {
    let scene = Scene::explicit();
    let mut wire = Wire::new(scene.tls(API).unwrap());
    for _ in 0..2 {
        let reply = wire.exchange(whole(&scene, 300_000)).unwrap();
        assert_eq!((reply.status, reply.reason().as_deref()), (403, Some("path_not_allowed")));
    }
    let reply = wire.exchange(scene.get(API, "/v1/models")).unwrap();
    assert_eq!(reply.status, 200);
}

#[test]
fn a_client_that_stops_sending_gets_the_denial_soon() {
    let scene = Scene::explicit();
    let begun = Instant::now();
    let request = || {
        let mut request = head(&scene, "Content-Length: 100000\r\n").into_bytes();
        request.extend_from_slice(&[b'x'; 1000]);
        scene.inside(API, request)
    };
    scene.refuses("it waits for the reply", DENIED, request);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Clients of gRPC read while they send; they get the denial at once.
#[test]
fn a_denial_of_grpc_does_not_wait_for_its_body() {
    let scene = Scene::explicit();
    let mut wire = scene.tls(API).unwrap();
    let lines = "Content-Type: application/grpc\r\nContent-Length: 100000\r\n";
    let begun = Instant::now();
    wire.write_all(head(&scene, lines).as_bytes()).unwrap();
    let mut start = [0; 12];
    wire.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200", "with grpc-status, as gRPC has it");
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
}

/// RFC 9110 section 10.1.1: a client asks before it sends, and the verdict is the answer.
#[test]
fn a_client_that_asks_first_gets_the_verdict_and_no_100() {
    let scene = Scene::explicit();
    let expect = "Expect: 100-continue\r\nContent-Length: 3000000\r\n";
    scene.refuses("denied", DENIED, || scene.inside(API, head(&scene, expect)));
    let allowed = head(&scene, "Expect: 100-continue\r\nContent-Length: 5\r\n");
    let mut wire = scene.tls(API).unwrap();
    wire.write_all(allowed.replace("/v2/files", "/v1/messages").as_bytes()).unwrap();
    let mut start = [0; 12];
    wire.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 100", "of the destination");
}

/// While the edge waits for custody, Envoy reads as much of a body as it keeps. A denial that follows is read by
/// clients whose body has gone by then, that send it over h2, or that ask before they send.
#[test]
fn a_denial_of_custody_reaches_clients_that_still_have_to_read() {
    let destinations = ["api.demo.test:$ORIGIN_PORT"];
    let grants = vec![
        json!({"handle": "other", "destinations": destinations, "claims": {"team": ["demo"]}}),
    ];
    let scene = Scene::start(builder().grants(grants));
    let post = |lines: &str| head(&scene, lines).replace("/v2/files", "/v1/messages");
    let kept = || {
        let mut request = post("Content-Length: 200000\r\n").into_bytes();
        request.resize(request.len() + 200_000, b'x');
        scene.inside(API, request)
    };
    let over_h2 = || {
        let uri = format!("https://{}/v1/messages", scene.at(API));
        let request = Request::builder().method(Method::POST).uri(uri).body(())?;
        scene.http2(API)?.request(request, &vec![b'x'; LARGE], None)
    };
    let asks = || {
        let lines = format!("Expect: 100-continue\r\nContent-Length: {LARGE}\r\n");
        scene.inside(API, post(&lines))
    };
    for _ in 0..5 {
        for (case, reply) in [("kept", kept()), ("h2", over_h2()), ("asks", asks())] {
            let reply = reply.unwrap_or_else(|error| panic!("{case}: {error:#}"));
            assert_eq!(
                (reply.status, reply.reason().as_deref()),
                (403, Some("custody_refused")),
                "{case}"
            );
        }
    }
    assert_eq!(scene.arrived(), 0);
}
