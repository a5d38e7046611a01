//! Word lists of path traversal and mutations of a message's framing, through both postures, against an
//! origin that records. Whatever the edge answers: nothing arrives that a server could read as a request
//! the policy does not allow, and every honest request gets its own answer.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::Duration;

use anyhow::Result;
use tests::guest;
use tests::reply::Reply;
use tests::scene::{API, Scene};
use tests::wire::Wire;

mod framing;
mod traversal;

/// An answer to what is refused or passed on has come by then.
const SOON: Duration = Duration::from_millis(150);

trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A guest that connects anew wherever its connection was closed.
struct Guest<'a> {
    scene: &'a Scene,
    is_explicit: bool,
    wire: Option<Wire<Box<dyn Stream>>>,
}

// === impl Guest ===

impl<'a> Guest<'a> {
    fn new(scene: &'a Scene, is_explicit: bool) -> Self {
        Self { scene, is_explicit, wire: None }
    }

    /// Host and session, as this posture wants them.
    fn headers(&self) -> String {
        let host = self.scene.at(API);
        match self.is_explicit {
            true => format!("Host: {host}\r\n"),
            false => format!("Host: {host}\r\nX-Leasehold-Session: {}\r\n", self.scene.session),
        }
    }

    /// `patience`: how long an answer is waited for, if not as long as an honest guest waits.
    fn connect(&self, patience: Option<Duration>) -> Result<Wire<Box<dyn Stream>>> {
        let stream: Box<dyn Stream> = if self.is_explicit {
            let tls = self.scene.tls(API)?;
            if patience.is_some() {
                tls.sock.set_read_timeout(patience)?;
            }
            Box::new(tls)
        } else {
            let plain = guest::dial(self.scene.edge())?;
            if patience.is_some() {
                plain.set_read_timeout(patience)?;
            }
            Box::new(plain)
        };
        Ok(Wire::new(stream))
    }

    /// The answer; `None` if the connection was closed without one.
    fn ask(&mut self, request: &[u8]) -> Option<Reply> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.connect(None).expect("an honest guest is let in"),
        };
        let reply = wire.exchange(request).ok()?;
        let is_closed = reply.header("connection").is_some_and(|value| value == "close");
        self.wire = Some(wire).filter(|_| !is_closed && reply.status < 400);
        Some(reply)
    }

    /// An honest request is let through, and what comes back is its own answer.
    #[track_caller]
    fn is_served(&mut self, path: &str, after: &[u8]) {
        let request = format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers());
        let reply = self.ask(request.as_bytes());
        let reply = reply.unwrap_or_else(|| panic!("after {}: no answer", after.escape_ascii()));
        let got = (reply.status, reply.json()["path"].clone());
        assert_eq!(got, (200, path.into()), "after {}", after.escape_ascii());
    }

    /// On a connection of its own. Some of these bytes are no whole request to the edge, which waits for
    /// more then.
    fn pour(&self, bytes: &[u8]) {
        let mut wire = self.connect(Some(SOON)).expect("an honest guest is let in");
        // The edge may close before it has read everything.
        if wire.send(bytes).is_ok() {
            let _ = wire.read_reply("POST");
        }
    }
}

fn in_both_postures(test: impl Fn(&Scene, bool)) {
    for (scene, is_explicit) in [(Scene::explicit(), true), (Scene::gateway(), false)] {
        test(&scene, is_explicit);
    }
}

/// The targets that arrived at the origin.
fn targets(scene: &Scene) -> BTreeSet<String> {
    scene.stack.origin().unwrap().requests().into_iter().map(|seen| seen.path).collect()
}
