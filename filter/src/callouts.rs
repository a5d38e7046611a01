//! The callouts in flight: which token is whose, and until when.
//!
//! A callout belongs to its root, not to the stream that wanted it: Envoy answers it also when that
//! stream is gone, and the answer still serves whoever else waits. So a waiter is looked up by token
//! alone, and one whose answer never comes is given up by the root's tick.

use crate::host::{self, Failed};
use abi::types::{BufferType, MapType};
use edge::exchange::{AwaitLease, MAX_ANSWER};
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a root's tick is. Coarse: what it ends should have ended by itself.
pub const TICK: Duration = Duration::from_secs(1);

/// Ticks on top of a callout's timeout: one for what is left of the current tick, one because Envoy's
/// own timeout may be a fraction of a tick longer.
const SLACK: Ticks = 2;

/// Ticks a root has seen: a clock that nobody can set back, and that costs no host call.
pub type Ticks = u64;

/// Every callout of the VM that has not been answered.
#[derive(Default)]
pub struct Callouts {
    in_flight: BTreeMap<u32, Callout>,
}

/// A callout and what its answer is for.
pub struct Callout {
    pub root: u32,
    pub waiter: Waiter,
    /// The tick at which Envoy's own timeout is long over.
    give_up: Ticks,
}

/// Who waits for an answer.
pub enum Waiter {
    /// A held request.
    Lease { stream: u32, wait: AwaitLease },
}

/// What to send, and to which of Envoy's clusters.
pub struct HttpCall<'a> {
    pub cluster: &'a str,
    pub authority: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    /// JSON.
    pub body: &'a [u8],
    pub timeout: Duration,
}

/// A response; wiped, since it may be a lease. A `status` that is no number is 0.
pub struct Received {
    pub status: u16,
    pub body: Zeroizing<Vec<u8>>,
}

// === impl Callouts ===

impl Callouts {
    pub const fn new() -> Self {
        Self { in_flight: BTreeMap::new() }
    }

    /// Sends a callout for `waiter`. `now` is the root's time. Where the host does not take it, the
    /// waiter comes back with the reason.
    pub fn send(
        &mut self,
        (root, now): (u32, Ticks),
        call: &HttpCall<'_>,
        waiter: Waiter,
    ) -> Result<(), (Failed, Waiter)> {
        let token = match call.send() {
            Ok(token) => token,
            Err(failed) => return Err((failed, waiter)),
        };
        if self.in_flight.contains_key(&token) {
            log::error!("leasehold: the host gives out the token of a callout in flight");
            return Err((Failed::INTERNAL, waiter));
        }
        let give_up = now + call.timeout.as_secs() / TICK.as_secs() + SLACK;
        self.in_flight.insert(token, Callout { root, waiter, give_up });
        Ok(())
    }

    /// Takes out the callout that has been answered.
    pub fn answered(&mut self, token: u32) -> Option<Callout> {
        self.in_flight.remove(&token)
    }

    /// Takes out one callout of `root` whose answer will not come any more.
    pub fn overdue(&mut self, root: u32, now: Ticks) -> Option<Callout> {
        let mut in_flight = self.in_flight.iter();
        let (token, _) = in_flight.find(|(_, call)| call.root == root && call.give_up <= now)?;
        let token = *token;
        self.in_flight.remove(&token)
    }

    /// The root is gone, and everything it asked for.
    pub fn forget(&mut self, root: u32) {
        self.in_flight.retain(|_, call| call.root != root);
    }
}

// === impl HttpCall ===

impl<'a> HttpCall<'a> {
    /// `POST /v1/leases`.
    pub fn for_lease(lease: &'a edge::exchange::Callout) -> Self {
        Self {
            cluster: &lease.cluster,
            authority: &lease.authority,
            method: "POST",
            path: "/v1/leases",
            body: &lease.body,
            timeout: lease.timeout,
        }
    }

    fn send(&self) -> Result<u32, Failed> {
        let headers = [
            (":method", self.method),
            (":path", self.path),
            (":authority", self.authority),
            (":scheme", "https"),
            ("content-type", "application/json"),
        ];
        host::http_call(self.cluster, &headers, self.body, self.timeout)
    }
}

// === impl Received ===

impl Received {
    /// Reads the answer that the host is calling back about, which is the only time it can be read.
    /// `None` if the connection was reset.
    pub fn read(headers: usize, body_size: usize) -> Result<Option<Self>, Failed> {
        if headers == 0 {
            return Ok(None);
        }
        let status = host::header(MapType::HttpCallResponseHeaders, ":status")?.unwrap_or_default();
        let status = std::str::from_utf8(&status).ok().and_then(|status| status.parse().ok());
        // One byte more than allowed is enough to see that it is too much.
        let body = host::buffer(BufferType::HttpCallResponseBody, body_size.min(MAX_ANSWER + 1))?;
        let body = Zeroizing::new(body.unwrap_or_default());
        Ok(Some(Self { status: status.unwrap_or(0), body }))
    }
}
