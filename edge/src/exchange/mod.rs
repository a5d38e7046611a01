//! One request's way through the edge: a struct a phase, methods that consume it.
//!
//! What a phase does not expect cannot be called on it, and what ends in [`Denied`] has no method
//! that leads out again.

mod await_lease;
mod await_request;
mod denied;
mod forwarded;

pub use await_lease::{Answer, AwaitLease, MAX_ANSWER};
pub use await_request::AwaitRequest;
pub use denied::Denied;
pub use forwarded::{Forwarded, Passage};

use crate::headers::Headers;
use std::time::Duration;
use zeroize::Zeroizing;

/// A request as the host shows it, and what the host knows about the connection it came by.
#[derive(Default)]
pub struct Request {
    pub headers: Headers,
    /// The server name of the guest's TLS handshake with the edge.
    pub sni: Option<Vec<u8>>,
    /// The CONNECT this request came through.
    pub tunnel: Option<Tunnel>,
}

/// What the guest said when it opened the tunnel.
pub struct Tunnel {
    pub authority: Vec<u8>,
    pub proxy_authorization: Option<Vec<u8>>,
}

/// What to do with a request now.
pub enum Verdict {
    Forward(Forwarded),
    /// Ask custody, hold the request, and [`settle`](AwaitLease::settle) with the answer.
    Ask(AwaitLease, Callout),
    Deny(Denied),
}

/// The callout to custody: `POST /v1/leases`.
pub struct Callout {
    pub cluster: String,
    pub authority: String,
    pub timeout: Duration,
    /// JSON; holds the Session JWT.
    pub body: Zeroizing<Vec<u8>>,
}

#[cfg(test)]
mod tests;
