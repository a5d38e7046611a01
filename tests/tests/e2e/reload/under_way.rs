//! What is under way when a tightened policy comes, with Envoy's default drain time: it is finished as it
//! was admitted, and the next request is judged anew.

use std::io::Write;

use serde_json::json;
use stack::Way;
use tests::scene::{API, LEASED};

use super::{DEFAULT_DRAIN, Edge, allowed, denied, tightened, verdict};
use crate::transfers::websocket::{KEY, TEXT, frame, read_frame};
use crate::wide::{self, Frozen, wait_until};

#[test]
fn a_websocket_and_an_upload_go_on_and_the_next_are_denied() {
    let builder = wide::builder("10s").way(Way::Gateway);
    let mut edge = Edge::start(builder, DEFAULT_DRAIN, Some(1));
    let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    let key = format!("{headers}Sec-WebSocket-Key: {KEY}\r\n\r\n");
    let upgrade = edge.request(API, "/ws").replacen("\r\n\r\n", &format!("\r\n{key}"), 1);
    let mut wire = edge.dial();
    assert_eq!(verdict(&wire.exchange(&upgrade).unwrap()), (101, None));
    let (mut socket, mut got) = (wire.into_inner(), Vec::new());
    let mut echo = |text: &[u8]| {
        socket.write_all(&frame(TEXT, text)).unwrap();
        assert_eq!(read_frame(&mut socket, &mut got), (TEXT, text.to_vec()));
    };
    echo(b"before");
    let mut upload = edge.dial();
    let head = edge.request(API, "/v1/upload").replacen("GET", "POST", 1);
    upload.send(head.replacen("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\nhalf", 1)).unwrap();
    wait_until("the upload is at the origin's door", || {
        edge.stat("wasmcustom.leasehold.allowed") == 2
    });
    edge.reload(2, tightened);
    echo(b"after");
    upload.send("more").unwrap();
    assert_eq!(verdict(&upload.read_reply("POST").unwrap()), allowed());
    assert_eq!(verdict(&upload.exchange(edge.request(API, "/v1/models")).unwrap()), denied());
    assert_eq!(verdict(&edge.dial().exchange(&upgrade).unwrap()), denied());
    echo(b"and on");
    edge.envoy.stop().unwrap();
}

/// The first filter has judged it, and the second waits for its lease.
#[test]
fn an_attempt_in_flight_is_finished_with_the_policy_that_admitted_it() {
    let builder = wide::builder("10s").way(Way::Gateway);
    let mut edge = Edge::start_with(builder, DEFAULT_DRAIN, Some(1), |settings| {
        settings.retry = true;
        settings.plugin["inject"] = json!("upstream");
    });
    let mut wire = edge.dial();
    let frozen = Frozen::custody(&edge.scene);
    wire.send(edge.request(API, "/v1/models")).unwrap();
    wait_until("the attempt waits", || edge.stat("wasmcustom.leasehold.leases") == 1);
    edge.reload(2, tightened);
    drop(frozen);
    assert_eq!(verdict(&wire.read_reply("GET").unwrap()), allowed());
    let seen = edge.scene.stack.origin().unwrap().record().last().unwrap();
    assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
    let arrived = edge.scene.arrived();
    assert_eq!(verdict(&wire.exchange(edge.request(API, "/v1/models")).unwrap()), denied());
    assert_eq!(verdict(&edge.dial().exchange(edge.request(API, "/v1/models")).unwrap()), denied());
    assert_eq!(edge.scene.arrived(), arrived);
    // What the new policy allows has its credential, on the old connection and on a new one.
    for wire in [&mut wire, &mut edge.dial()] {
        let reply = wire.exchange(edge.request(API, "/v1/tightened")).unwrap();
        assert_eq!(verdict(&reply), allowed());
        let seen = edge.scene.stack.origin().unwrap().record().last().unwrap();
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()));
    }
    edge.envoy.stop().unwrap();
}
