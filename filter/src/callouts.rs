//! The callouts in flight: which token is whose, and until when.
//!
//! A callout belongs to its root, not to the stream that wanted it. Envoy answers it also when that
//! stream is gone, and the answer still serves other streams that wait. One whose answer never comes is
//! given up by the root's tick.

use crate::host::{self, Failed};
use abi::types::{BufferType, MapType};
use edge::Now;
use edge::state::callout::{Answer, Callout, Purpose};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;
use zeroize::Zeroizing;

/// Envoy's own timeout comes first; this one is for an answer that is lost.
const SLACK: Duration = Duration::from_secs(1);

/// Every callout of the VM that has not been answered.
#[derive(Default)]
pub struct Callouts {
    in_flight: BTreeMap<u32, InFlight>,
    /// Root, time to give up, token: the overdue ones come first.
    by_end: BTreeSet<(u32, Duration, u32)>,
}

/// A callout that was sent.
pub struct InFlight {
    pub root: u32,
    pub purpose: Purpose,
    /// When Envoy's own timeout is long over, by the steady clock.
    give_up: Duration,
}

/// A response; wiped, since it may be a lease. A `status` that is not a number is 0.
pub struct Received {
    status: u16,
    body: Zeroizing<Vec<u8>>,
    /// Of a redirect, where it is to be known.
    location: Option<Vec<u8>>,
}

// === impl Callouts ===

impl Callouts {
    pub const fn new() -> Self {
        Self { in_flight: BTreeMap::new(), by_end: BTreeSet::new() }
    }

    /// # Errors
    /// The host does not take it; then there will be no answer.
    pub fn send(&mut self, root: u32, now: Now, callout: &Callout) -> Result<(), Failed> {
        let pseudo = [
            (":method", callout.method),
            (":path", &callout.path),
            (":authority", &callout.authority),
            (":scheme", "https"),
        ];
        let headers = [&pseudo[..], callout.purpose.headers()].concat();
        let token = host::http_call(&callout.cluster, &headers, &callout.body, callout.timeout)?;
        if self.in_flight.contains_key(&token) {
            log::error!("leasehold: the host reused the token of a callout in flight");
            return Err(Failed::INTERNAL);
        }
        let give_up = now.steady.saturating_add(callout.timeout).saturating_add(SLACK);
        self.in_flight.insert(token, InFlight { root, purpose: callout.purpose, give_up });
        self.by_end.insert((root, give_up, token));
        Ok(())
    }

    /// Takes out the callout that has been answered.
    pub fn answered(&mut self, token: u32) -> Option<InFlight> {
        let call = self.in_flight.remove(&token)?;
        self.by_end.remove(&(call.root, call.give_up, token));
        Some(call)
    }

    /// Takes out one callout of `root` whose answer will not come any more.
    pub fn overdue(&mut self, root: u32, now: Now) -> Option<InFlight> {
        let (_, _, token) = *self.by_end.range(until(root, now.steady)).next()?;
        self.answered(token)
    }

    /// Is an answer on its way to this root that is for more than its next poll?
    pub fn has_in_flight(&self, root: u32) -> bool {
        let own = self.by_end.range(until(root, Duration::MAX));
        let mut purposes = own.filter_map(|(_, _, token)| Some(self.in_flight.get(token)?.purpose));
        // There is one poll at a time, so the second callout ends the search.
        purposes.any(|purpose| purpose != Purpose::Sync)
    }

    /// The root is gone, or has a new configuration, and its callouts are void.
    pub fn forget(&mut self, root: u32) {
        while let Some(&own) = self.by_end.range(until(root, Duration::MAX)).next() {
            self.by_end.remove(&own);
            self.in_flight.remove(&own.2);
        }
    }
}

/// The callouts of `root` that are to be given up by `end`.
fn until(root: u32, end: Duration) -> RangeInclusive<(u32, Duration, u32)> {
    (root, Duration::ZERO, 0)..=(root, end, u32::MAX)
}

// === impl Received ===

impl Received {
    /// Reads the answer that the host is calling back about, which is the only time it can be read.
    /// `None` if the connection was reset.
    pub fn read(
        purpose: Purpose,
        headers: usize,
        body_size: usize,
    ) -> Result<Option<Self>, Failed> {
        if headers == 0 {
            return Ok(None);
        }
        let status = host::header(MapType::HttpCallResponseHeaders, ":status")?.unwrap_or_default();
        let status = std::str::from_utf8(&status).ok().and_then(|status| status.parse().ok());
        let status: u16 = status.unwrap_or(0);
        let location = match status {
            300..400 if purpose.has_redirects() => {
                host::header(MapType::HttpCallResponseHeaders, "location")?
            }
            _ => None,
        };
        // One byte more than allowed is enough to see that it is too much.
        let most = body_size.min(purpose.longest_answer() + 1);
        let body = host::buffer(BufferType::HttpCallResponseBody, most)?;
        let body = Zeroizing::new(body.unwrap_or_default());
        Ok(Some(Self { status, body, location }))
    }

    pub fn answer(&self) -> Answer<'_> {
        let Self { status, body, location } = self;
        match location {
            Some(location) => Answer::Redirect { status: *status, location },
            None => Answer::Response { status: *status, body },
        }
    }
}
