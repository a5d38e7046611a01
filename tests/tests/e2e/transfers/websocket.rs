//! WebSockets (RFC 6455), over the upgrade of HTTP/1.1 and the extended CONNECT of h2 (RFC 8441).

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::ext::Protocol;
use tests::scene::{API, LEASED, OPEN, SECRET, Scene};
use tests::wire::Wire;

use super::h2_guest;
use crate::wide;

/// The key and the answer to it of RFC 6455 section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;

#[test]
fn a_websocket_echoes_with_the_credential_on_its_upgrade() {
    let scene = wide::scene("10s");
    // The second time the lease is in the cache, and the guest tries to have it removed on the way.
    for connection in ["Upgrade", "Upgrade, authorization"] {
        let own = format!("Connection: {connection}\r\nAuthorization: Bearer guests-own\r\n");
        let reply = upgraded(&scene, API, &own);
        let seen = scene.stack.origin().unwrap().record().last().unwrap();
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{connection}");
        assert!(!reply.contains(SECRET));
    }
    assert_eq!(scene.arrived(), 2);
    // The twin without a credential: nothing is written there.
    let open = wide_open(&scene);
    assert_eq!(open.values("authorization"), Vec::<Vec<u8>>::new());
}

#[test]
fn a_websocket_echoes_over_h2() {
    let scene = wide::scene("10s");
    h2_guest::block_on(async {
        let mut sender = h2_guest::connect(&scene, API, &scene.session).await;
        // The edge's settings are here with its first answer.
        let first = h2_guest::request(&scene, API, "GET", "/v1").body(()).unwrap();
        let first = sender.send_request(first, true).unwrap().0.await.unwrap();
        assert_eq!(first.status(), 200);
        assert!(sender.is_extended_connect_protocol_enabled());
        let mut request = h2_guest::request(&scene, API, "CONNECT", "/ws")
            .header("sec-websocket-version", "13")
            .header("authorization", "Bearer guests-own")
            .body(())
            .unwrap();
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let (response, mut out) = sender.send_request(request, false).unwrap();
        let response = tokio::time::timeout(wide::PATIENCE, response).await.unwrap().unwrap();
        assert_eq!(response.status(), 200, "{:?}", response.headers());
        let mut incoming = response.into_body();
        let mut got = Vec::new();
        for (kind, payload) in messages() {
            let frame = Bytes::from(frame(kind, &payload));
            let mut left = frame.clone();
            let mut echoed = None;
            // A frame larger than the window comes back while it still goes out.
            while echoed.is_none() {
                if left.is_empty() {
                    let piece = h2_guest::piece(&mut incoming);
                    let piece = tokio::time::timeout(wide::PATIENCE, piece).await.unwrap();
                    got.extend_from_slice(&piece.expect("the echo"));
                } else {
                    let sent = h2_guest::send(&mut out, &left, false).await;
                    left = left.slice(sent..);
                }
                echoed = take_frame(&mut got);
            }
            assert!(echoed == Some((kind, payload)), "{kind}");
        }
    });
    assert_eq!(scene.arrived(), 2);
    let seen = scene.stack.origin().unwrap().record().last().unwrap();
    assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
}

/// Both kinds, and every size of a frame's length field.
fn messages() -> Vec<(u8, Vec<u8>)> {
    let binary = (0..70_000_u32).map(|byte| byte.to_le_bytes()[0]).collect();
    vec![(TEXT, b"hello".to_vec()), (TEXT, vec![b'm'; 300]), (BINARY, binary), (TEXT, Vec::new())]
}

/// Upgrades, echoes, says goodbye; the head of the response.
fn upgraded(scene: &Scene, host: &str, headers: &str) -> String {
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n{headers}\r\n",
        scene.at(host)
    );
    let mut wire = Wire::new(scene.tls(host).unwrap());
    let reply = wire.exchange(request).unwrap();
    assert_eq!((reply.status, reply.reason()), (101, None), "{}", reply.text());
    assert_eq!(reply.header("sec-websocket-accept").as_deref(), Some(ACCEPT));
    let mut socket = wire.into_inner();
    let mut got = Vec::new();
    for (kind, payload) in messages() {
        socket.write_all(&frame(kind, &payload)).unwrap();
        assert!(read_frame(&mut socket, &mut got) == (kind, payload), "{kind}");
    }
    socket.write_all(&frame(CLOSE, &1000_u16.to_be_bytes())).unwrap();
    assert_eq!(read_frame(&mut socket, &mut got), (CLOSE, 1000_u16.to_be_bytes().to_vec()));
    // A client waits for the server to close first (RFC 6455 section 7.1.1).
    let begun = Instant::now();
    let end = socket.read(&mut [0; 16]);
    assert!(end.map_or(true, |read| read == 0), "more after the close");
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    wide::shown(&reply)
}

fn wide_open(scene: &Scene) -> stack::origin::Seen {
    upgraded(scene, OPEN, "Connection: Upgrade\r\n");
    scene.stack.origin().unwrap().record().last().unwrap()
}

// === frames (RFC 6455 section 5.2) ===

/// A whole message in one frame, masked as a client must.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![0x80 | kind];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub fn read_frame(socket: &mut impl Read, got: &mut Vec<u8>) -> (u8, Vec<u8>) {
    loop {
        if let Some(frame) = take_frame(got) {
            return frame;
        }
        let mut piece = [0; 16 * 1024];
        let read = socket.read(&mut piece).expect("the echo");
        assert!(read > 0, "the WebSocket ended");
        got.extend_from_slice(&piece[..read]);
    }
}

/// A whole unmasked frame from the front of `got`: kind and payload.
fn take_frame(got: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (kind, length) = (got.first()? & 0x0f, got.get(1)? & 0x7f);
    let (head, length) = match length {
        126 => (4, u64::from(u16::from_be_bytes(got.get(2..4)?.try_into().unwrap()))),
        127 => (10, u64::from_be_bytes(got.get(2..10)?.try_into().unwrap())),
        short => (2, u64::from(short)),
    };
    let end = head + usize::try_from(length).unwrap();
    let payload = got.get(head..end)?.to_vec();
    got.drain(..end);
    Some((kind, payload))
}
