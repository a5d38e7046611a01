//! The end in good order: what is in flight gets its answer.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::Body;
use common::Home;
use common::client::over_http2;
use common::client::post;
use common::stores::{Store, on_both_stores};
use std::fs;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

// The other never asks a store for more than a lease.
on_both_stores! {
    #[tokio::test]
    a_request_in_flight_is_answered_after_the_signal,
}

async fn a_request_in_flight_is_answered_after_the_signal(store: Store) {
    // Also on a connection that was let in by TLS files which have been replaced.
    for (name, is_renewed) in [("TERM", false), ("INT", false), ("TERM", true)] {
        let home = Home::new(store);
        let mut running = home.serve();
        let mut stream = home.edge_client().connect(running.edge).await.unwrap();
        let body = home.request().to_string();
        let (first, rest) = body.split_at(body.len() / 2);
        let head = format!(
            "POST /v1/leases HTTP/1.1\r\nhost: custody.internal\r\ncontent-length: {}\r\n\
             expect: 100-continue\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The 100 says that the request is being read, so it is in flight.
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).await.unwrap();
        assert!(interim.starts_with(b"HTTP/1.1 100 Continue"));
        stream.write_all(first.as_bytes()).await.unwrap();
        if is_renewed {
            fs::copy(home.path("server.pem"), home.path("renewed")).unwrap();
            fs::rename(home.path("renewed"), home.path("server.pem")).unwrap();
            running.wait_for("loaded renewed TLS files");
        }
        running.signal(name);
        running.wait_for("stopping");
        stream.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // The peer may end without a close_notify; what counts is the answer.
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert_eq!(running.child.wait().unwrap().code(), Some(0));
        let last = home.records().pop().unwrap();
        assert_eq!(last["event"], "stopped");
        assert!(home.verify().status.success());
    }
}

// With a thread to spare for the client, which has to answer the server's farewell (GOAWAY).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_do_not_hold_it_up() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let mut client = home.edge_client();
    let _idle_http1 = client.connect(running.edge).await.unwrap();
    client.alpn = b"h2";
    let stream = client.connect(running.edge).await.unwrap();
    let answer = over_http2(stream, post(Body::from(home.request().to_string()))).await.unwrap();
    assert_eq!(answer.status, 200);
    let address = running.edge;
    let begun = std::time::Instant::now();
    assert_eq!(running.stop(), 0);
    // Less than the grace for requests in flight, which nothing here uses.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}
