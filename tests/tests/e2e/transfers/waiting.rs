//! A request with a body, while custody has not answered: nothing of it reaches the origin before
//! the lease is there, and then all of it does. Custody is frozen and thawed, so nothing here
//! depends on who is faster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use serde_json::Value;
use tests::reply::Reply;
use tests::scene::{API, Scene};
use tests::wire::Wire;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::h2_guest;
use crate::wide::{self, Frozen, assert_leased, new_session, stat, wait_until};

/// Nothing, less than one piece, and more than every buffer on the way holds.
const SIZES: [usize; 4] = [0, 1, 10_000, 5_000_000];

#[test]
fn a_body_waits_for_the_lease_over_http1() {
    let scene = wide::scene("30s");
    for size in SIZES {
        let session = new_session(&scene);
        held_until_thawed(&scene, size, || {
            let at = scene.at(API);
            let tls = scene.tls_with(&at, Some(API), &session).unwrap();
            let head = format!("POST /v1 HTTP/1.1\r\nHost: {at}\r\nContent-Length: {size}\r\n\r\n");
            Wire::new(tls).exchange([head.as_bytes(), &vec![b'.'; size]].concat()).unwrap()
        });
    }
}

#[test]
fn a_chunked_body_waits_for_the_lease() {
    let scene = wide::scene("30s");
    let size = 3 * 0x10000;
    held_until_thawed(&scene, size, || {
        let head = format!("POST /v1 HTTP/1.1\r\nHost: {}\r\n", scene.at(API));
        let mut request = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for _ in 0..3 {
            request.extend(b"10000\r\n");
            request.extend(vec![b'.'; 0x10000]);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        scene.inside(API, request).unwrap()
    });
}

#[test]
fn a_body_waits_for_the_lease_over_h2() {
    let scene = wide::scene("30s");
    for size in SIZES {
        let session = new_session(&scene);
        held_until_thawed(&scene, size, || {
            h2_guest::block_on(async {
                let mut sender = h2_guest::connect(&scene, API, &session).await;
                let request = h2_guest::request(&scene, API, "POST", "/v1").body(()).unwrap();
                let (response, mut body) = sender.send_request(request, size == 0).unwrap();
                let mut left = Bytes::from(vec![b'.'; size]);
                while !left.is_empty() {
                    let sent = h2_guest::send(&mut body, &left, true).await;
                    left = left.slice(sent..);
                }
                let response = response.await.unwrap();
                let status = response.status().as_u16();
                let body = h2_guest::whole(response).await;
                Reply { status, headers: Vec::new(), body }
            })
        });
    }
}

/// A guest that has sent its whole request and left; the origin never hears of it.
#[test]
fn a_guest_that_leaves_while_custody_thinks_sends_nothing() {
    let scene = wide::scene("30s");
    let left = |name: &str| stat(&scene, &format!("http.decrypted.downstream_{name}"));
    let frozen = Frozen::custody(&scene);
    let mut wire = Wire::new(scene.tls(API).unwrap());
    let gone = left("cx_destroy");
    wire.send(scene.get(API, "/v1/left")).unwrap();
    wait_until("custody is asked", || scene.asked() == 1);
    drop(wire);
    wait_until("Envoy sees the guest leave", || left("cx_destroy") > gone);
    drop(frozen);
    // The twin comes behind it, over the same connection to custody.
    let reply = scene.inside(API, scene.get(API, "/v1/stayed")).unwrap();
    assert_leased(&scene, "the next guest", &reply);
    assert_eq!(scene.stack.origin().unwrap().record().count_of("/v1/left"), 0);
    assert_eq!(scene.arrived(), 1);
}

/// What a guest sends meanwhile stays with the guest: Envoy does not collect it.
#[test]
fn an_endless_body_is_not_collected_while_custody_thinks() {
    const PIECE: usize = 64 * 1024;
    /// What the kernel's and Envoy's buffers on the way may take; loopback sockets grow to 6 MiB.
    const AT_MOST: usize = 24 << 20;
    // Sooner than a connection to custody is given up (1 s), which would be another reason.
    let scene = wide::scene("500ms");
    let frozen = Frozen::custody(&scene);
    let sent = Arc::new(AtomicUsize::new(0));
    let answer = h2_guest::block_on(async {
        let tls = asynchronous_tls(&scene).await;
        let (mut incoming, mut out) = tokio::io::split(tls);
        let head = format!(
            "POST /v1 HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000000000\r\n\r\n",
            scene.at(API)
        );
        out.write_all(head.as_bytes()).await.unwrap();
        let counter = Arc::clone(&sent);
        tokio::spawn(async move {
            let piece = vec![b'.'; PIECE];
            while out.write_all(&piece).await.is_ok() {
                counter.fetch_add(PIECE, Ordering::Relaxed);
            }
        });
        let mut answer = vec![0; 4096];
        let reading = incoming.read(&mut answer);
        let read = tokio::time::timeout(wide::PATIENCE, reading).await.expect("an answer").unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    });
    drop(frozen);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("x-deny-reason: custody_timeout\r\n"), "{answer}");
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < AT_MOST, "{sent} bytes went to an edge that had no use for them");
    assert_eq!(scene.arrived(), 0);
}

async fn asynchronous_tls(scene: &Scene) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let tunnel = scene.connect(&scene.at(API), &scene.session).unwrap().tunnel().unwrap();
    tunnel.set_nonblocking(true).unwrap();
    let tunnel = tokio::net::TcpStream::from_std(tunnel).unwrap();
    let ca = scene.stack.guest_ca().unwrap();
    let trusting = Arc::new(tests::guest::trusting(ca, "http/1.1").unwrap());
    let name = API.try_into().unwrap();
    tokio_rustls::TlsConnector::from(trusting).connect(name, tunnel).await.unwrap()
}

/// Runs `guest`, who sends a body of `size` bytes, against a frozen custody; looks for it at the
/// origin, thaws custody, and looks at what came.
#[track_caller]
fn held_until_thawed(scene: &Scene, size: usize, guest: impl FnOnce() -> Reply + Send) {
    let (arrived, asked) = (scene.arrived(), scene.asked());
    let received = || stat(scene, "http.decrypted.downstream_cx_rx_bytes_total");
    let before = received();
    let frozen = Frozen::custody(scene);
    let reply = thread::scope(|scope| {
        let guest = scope.spawn(guest);
        wait_until("custody is asked", || scene.asked() == asked + 1);
        // As much of the body as the edge is going to take: a small one whole.
        wait_until("the body comes in", || received() - before >= size.min(100_000) as u64);
        assert_eq!(scene.arrived(), arrived, "{size}: before the lease");
        assert!(!guest.is_finished(), "{size}: before the lease");
        drop(frozen);
        guest.join().unwrap()
    });
    assert_leased(scene, &format!("{size} bytes"), &reply);
    assert_eq!(reply.json()["body_bytes"], Value::from(size));
    assert_eq!((scene.arrived(), scene.asked()), (arrived + 1, asked + 1), "{size}");
}
