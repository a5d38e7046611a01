//! How guests reach the edge.

use crate::policy::links::LinkScheme;
use lease::Authority;

/// How guests reach the edge, which decides where a request names its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posture {
    /// `HTTPS_PROXY`: a CONNECT, which the edge terminates, and the decrypted requests inside it.
    Explicit,
    /// The edge is called like the API itself.
    Gateway,
}

/// Where requests come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    pub posture: Posture,
    /// Names of a gateway itself. For these the first path segment names the upstream.
    pub own_authorities: Vec<Authority>,
    /// Links of a destination to itself become links to the gateway, with this scheme.
    pub rewrite_links: Option<LinkScheme>,
}

/// The default port of `http` (RFC 9110 section 4.2.1).
pub const HTTP_PORT: u16 = 80;

// === impl Ingress ===

impl Ingress {
    pub fn is_explicit(&self) -> bool {
        self.posture == Posture::Explicit
    }
}
