//! 200 MB each way, with Envoy's memory flat.

use std::io::{Read, Write};

use bytes::Bytes;
use serde_json::{Value, json};
use tests::guest::Tls;
use tests::reply::Reply;
use tests::scene::{API, Scene};
use tests::wire::Wire;

use super::h2_guest;
use crate::wide::{self, assert_leased, stat, wait_until};

/// Bytes of a body.
const BODY: usize = 200_000_000;
/// Bytes a guest writes or reads at once.
const PIECE: usize = 64 * 1024;
/// Bytes between two looks at Envoy's memory.
const LOOK: usize = 4 * 1024 * 1024;
/// What Envoy may take more than before, at any moment of a transfer. On the way from guest to
/// origin stand some ten buffers and windows of 256 KiB to 1 MiB each, and the allocator keeps
/// pages it has used; a proxy that collects the body, or a tenth filter that does, takes 200 MB.
const GROWTH: u64 = 64 << 20;

/// Envoy's memory before, and the most it was since.
struct Memory<'a> {
    scene: &'a Scene,
    before: u64,
    most: u64,
    since_look: usize,
}

// === impl Memory ===

impl<'a> Memory<'a> {
    fn of(scene: &'a Scene) -> Self {
        let before = scene.stack.envoy().unwrap().resident_bytes().unwrap();
        Self { scene, before, most: before, since_look: 0 }
    }

    /// `bytes` have moved.
    fn moved(&mut self, bytes: usize) {
        self.since_look += bytes;
        if self.since_look >= LOOK {
            self.since_look = 0;
            self.look();
        }
    }

    fn look(&mut self) {
        let now = self.scene.stack.envoy().unwrap().resident_bytes().unwrap();
        self.most = self.most.max(now);
    }

    #[track_caller]
    fn assert_flat(mut self, case: &str) {
        self.look();
        let growth = self.most - self.before;
        println!("{case}: {} KiB, at most {} KiB more", self.before >> 10, growth >> 10);
        assert!(growth < GROWTH, "{case}: Envoy took {} MiB more", growth >> 20);
    }
}

#[test]
fn a_large_upload_and_a_large_download_over_http1() {
    let scene = wide::scene("10s");
    let mut tls = scene.tls(API).unwrap();
    // Buffers, pools and the connection itself are there before the measurement.
    upload(&scene, &mut tls, LOOK, &mut Memory::of(&scene));
    download(&scene, &mut tls, LOOK, &mut Memory::of(&scene));
    let mut memory = Memory::of(&scene);
    upload(&scene, &mut tls, BODY, &mut memory);
    memory.assert_flat("upload over HTTP/1.1");
    let mut memory = Memory::of(&scene);
    download(&scene, &mut tls, BODY, &mut memory);
    memory.assert_flat("download over HTTP/1.1");
    assert_eq!(scene.arrived(), 4);
}

#[test]
fn a_large_upload_and_a_large_download_over_h2() {
    let scene = wide::scene("10s");
    h2_guest::block_on(async {
        let sender = h2_guest::connect(&scene, API, &scene.session).await;
        let mut warm = Memory::of(&scene);
        upload_h2(&scene, sender.clone(), LOOK, &mut warm).await;
        download_h2(&scene, sender.clone(), LOOK, &mut warm).await;
        let mut memory = Memory::of(&scene);
        upload_h2(&scene, sender.clone(), BODY, &mut memory).await;
        memory.assert_flat("upload over h2");
        let mut memory = Memory::of(&scene);
        download_h2(&scene, sender, BODY, &mut memory).await;
        memory.assert_flat("download over h2");
    });
    assert_eq!(scene.arrived(), 4);
}

/// Who does not read holds up the origin, and not Envoy's memory.
#[test]
fn a_download_that_is_not_read_is_paused_at_the_origin() {
    let scene = wide::scene("10s");
    let mut tls = scene.tls(API).unwrap();
    download(&scene, &mut tls, LOOK, &mut Memory::of(&scene));
    let mut memory = Memory::of(&scene);
    tls.write_all(scene.get(API, &format!("/download?bytes={BODY}")).as_bytes()).unwrap();
    let flow = |what: &str| {
        stat(&scene, &format!("cluster.destinations.upstream_flow_control_{what}_reading_total"))
    };
    wait_until("the origin is paused", || flow("paused") > flow("resumed"));
    memory.look();
    let mut body = response_body(&mut tls, BODY);
    read_exactly(&mut body, BODY, &mut memory);
    memory.assert_flat("a download that was not read for a while");
    assert_eq!(scene.arrived(), 2);
}

// === HTTP/1.1 ===

fn upload(scene: &Scene, tls: &mut Tls, bytes: usize, memory: &mut Memory<'_>) {
    let host = scene.at(API);
    write!(tls, "PUT /upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: {bytes}\r\n\r\n").unwrap();
    let piece = vec![b'.'; PIECE];
    let mut left = bytes;
    while left > 0 {
        let length = left.min(PIECE);
        tls.write_all(&piece[..length]).unwrap();
        memory.moved(length);
        left -= length;
    }
    let reply = Wire::new(tls).read_reply("PUT").unwrap();
    assert_leased(scene, "upload", &reply);
    assert_eq!(reply.json(), json!({"bytes": bytes}));
}

fn download(scene: &Scene, tls: &mut Tls, bytes: usize, memory: &mut Memory<'_>) {
    tls.write_all(scene.get(API, &format!("/download?bytes={bytes}")).as_bytes()).unwrap();
    let mut body = response_body(tls, bytes);
    let seen = scene.stack.origin().unwrap().record().last().unwrap();
    assert_eq!(seen.authorization().as_deref(), Some(tests::scene::LEASED.as_bytes()));
    read_exactly(&mut body, bytes, memory);
}

/// Reads the head of a response byte by byte, so that none of its body is read ahead.
fn response_body(tls: &mut Tls, bytes: usize) -> &mut Tls {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tls.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains(&format!("content-length: {bytes}\r\n")), "{head}");
    tls
}

fn read_exactly(body: &mut impl Read, bytes: usize, memory: &mut Memory<'_>) {
    let mut piece = vec![0; PIECE];
    let mut left = bytes;
    while left > 0 {
        let room = left.min(PIECE);
        let read = body.read(&mut piece[..room]).unwrap();
        assert!(read > 0, "the body ends {left} bytes too early");
        memory.moved(read);
        left -= read;
    }
}

// === h2 ===

async fn upload_h2(
    scene: &Scene,
    mut sender: h2::client::SendRequest<Bytes>,
    bytes: usize,
    memory: &mut Memory<'_>,
) {
    let request = h2_guest::request(scene, API, "PUT", "/upload").body(()).unwrap();
    let (response, mut body) = sender.send_request(request, false).unwrap();
    let piece = Bytes::from(vec![b'.'; PIECE]);
    let mut left = bytes;
    while left > 0 {
        let part = piece.slice(..left.min(PIECE));
        let sent = h2_guest::send(&mut body, &part, left == part.len()).await;
        memory.moved(sent);
        left -= sent;
    }
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let body = h2_guest::whole(response).await;
    assert_leased(scene, "upload", &Reply { status, headers: Vec::new(), body: body.clone() });
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!({"bytes": bytes}));
}

async fn download_h2(
    scene: &Scene,
    mut sender: h2::client::SendRequest<Bytes>,
    bytes: usize,
    memory: &mut Memory<'_>,
) {
    let path = format!("/download?bytes={bytes}");
    let request = h2_guest::request(scene, API, "GET", &path).body(()).unwrap();
    let (response, _) = sender.send_request(request, true).unwrap();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let seen = scene.stack.origin().unwrap().record().last().unwrap();
    assert_eq!(seen.authorization().as_deref(), Some(tests::scene::LEASED.as_bytes()));
    let mut body = response.into_body();
    let mut read = 0;
    while let Some(piece) = h2_guest::piece(&mut body).await {
        memory.moved(piece.len());
        read += piece.len();
    }
    assert_eq!(read, bytes);
}
