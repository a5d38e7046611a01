//! One request's way through the edge: a struct a phase, methods that consume it.
//!
//! What a phase does not expect cannot be called on it, and what ends in [`Denied`] has no method
//! that leads out again.

mod await_body;
mod await_keys;
pub(crate) mod await_lease;
mod await_request;
mod denied;
mod forwarded;
mod wait;

pub use await_body::AwaitBody;
pub use await_keys::AwaitKeys;
pub use await_lease::AwaitLease;
pub use await_request::AwaitRequest;
pub use denied::Denied;
pub use forwarded::{Forwarded, Passage};
pub use wait::Wait;

use crate::headers::Headers;

/// A request as the host shows it, and what the host knows about the connection it came by.
#[derive(Default)]
pub struct Request {
    pub headers: Headers,
    /// The tunnel this request came through; not looked for where the edge [has
    /// none](crate::TrustEdge::has_tunnels).
    pub tunnel: Option<Tunnel>,
    /// What the [attribute](crate::TrustEdge::place) says that names the place it came to.
    pub place: Option<Vec<u8>>,
    /// Something follows the headers.
    pub has_body: bool,
}

/// What the guest said when it opened the tunnel, and began TLS in it.
pub struct Tunnel {
    /// Of the CONNECT.
    pub authority: Vec<u8>,
    /// Of the CONNECT.
    pub proxy_authorization: Option<Vec<u8>>,
    /// The server name of the TLS handshake with the edge.
    pub sni: Option<Vec<u8>>,
}

/// What to do with a request now.
pub enum Verdict {
    Forward(Forwarded),
    /// Hold the request, and show its body as it comes.
    Read(Box<AwaitBody>),
    /// Hold the request, and [`settle`](Wait::settle) it when its flight has landed.
    Wait(Wait),
    Deny(Denied),
}

#[cfg(test)]
mod attempt_tests;
#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod operation_tests;
#[cfg(test)]
mod report_tests;
#[cfg(test)]
mod session_end_tests;
#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod tests;
