//! Server-sent events: each is sent only after the guest has the one before, so a proxy that holds
//! one back stops the test, whatever the clock says.

use std::io::Read;

use stack::origin::Events;
use tests::scene::{API, Scene};

use super::h2_guest;
use crate::wide;

const EVENTS: usize = 20;

#[test]
fn events_arrive_one_by_one_over_http1() {
    let scene = wide::scene("10s");
    let mut tls = scene.tls(API).unwrap();
    std::io::Write::write_all(&mut tls, scene.get(API, "/sse/told").as_bytes()).unwrap();
    let mut got = Vec::new();
    let mut read_until = |what: &str| {
        let mut piece = [0; 1024];
        while !String::from_utf8_lossy(&got).contains(what) {
            let read = tls.read(&mut piece).expect("the event that was sent");
            assert!(read > 0, "the stream ended before {what:?}");
            got.extend_from_slice(&piece[..read]);
        }
    };
    read_until("\r\n\r\n");
    let events = events(&scene);
    for number in 0..EVENTS {
        assert_eq!(events.send(&format!("told {number}.")), 1);
        read_until(&format!("data: told {number}.\n\n"));
    }
    events.end();
    read_until("\r\n0\r\n\r\n");
    assert_told_once(&scene, &String::from_utf8(got).unwrap());
}

#[test]
fn events_arrive_one_by_one_over_h2() {
    let scene = wide::scene("10s");
    let got = h2_guest::block_on(async {
        let mut sender = h2_guest::connect(&scene, API, &scene.session).await;
        let request = h2_guest::request(&scene, API, "GET", "/sse/told").body(()).unwrap();
        let (response, _) = sender.send_request(request, true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        let mut got = Vec::new();
        for number in 0..EVENTS {
            assert_eq!(events(&scene).send(&format!("told {number}.")), 1);
            let event = format!("data: told {number}.\n\n");
            while !String::from_utf8_lossy(&got).contains(&event) {
                let piece = tokio::time::timeout(wide::PATIENCE, h2_guest::piece(&mut body)).await;
                got.extend_from_slice(&piece.expect("the event that was sent").unwrap());
            }
        }
        events(&scene).end();
        let rest = async {
            while let Some(piece) = h2_guest::piece(&mut body).await {
                got.extend_from_slice(&piece);
            }
        };
        tokio::time::timeout(wide::PATIENCE, rest).await.expect("the end of the stream");
        got
    });
    assert_told_once(&scene, &String::from_utf8(got).unwrap());
}

fn events(scene: &Scene) -> &Events {
    scene.stack.origin().unwrap().events()
}

fn assert_told_once(scene: &Scene, got: &str) {
    assert_eq!(got.matches("data: told ").count(), EVENTS);
    assert!(!got.contains(tests::scene::SECRET));
    assert_eq!(scene.arrived(), 1);
    let seen = scene.stack.origin().unwrap().record().last().unwrap();
    assert_eq!(seen.authorization().as_deref(), Some(tests::scene::LEASED.as_bytes()));
}
