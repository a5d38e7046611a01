//! A request as it comes in.

use crate::headers::Headers;

/// A request as the host shows it, and the host's facts about the connection it came by.
#[derive(Default)]
pub struct Request {
    pub headers: Headers,
    /// The tunnel this request came through; not looked for where the edge [has
    /// none](crate::TrustEdge::has_tunnels).
    pub tunnel: Option<Tunnel>,
    /// The value of the [attribute](crate::TrustEdge::place) that names the place it came to.
    pub place: Option<Vec<u8>>,
    /// Something follows the headers.
    pub has_body: bool,
}

/// The guest's words when it opened the tunnel, and began TLS in it.
pub struct Tunnel {
    /// Of the CONNECT.
    pub authority: Vec<u8>,
    /// Of the CONNECT.
    pub proxy_authorization: Option<Vec<u8>>,
    /// The code of the denial that the CONNECT got, where every request in its tunnel gets the same.
    pub refusal: Option<Vec<u8>>,
    /// The server name of the TLS handshake with the edge.
    pub sni: Option<Vec<u8>>,
}

// === impl Request ===

impl Request {
    pub fn is_connect(&self) -> bool {
        self.headers.single(":method") == Some(b"CONNECT")
    }
}

/// The length of the body, in bytes; 0 where the request has none, and then the edge counts the body as it comes.
pub(crate) fn announced_length(headers: &Headers) -> usize {
    let length = headers.single("content-length").and_then(|text| std::str::from_utf8(text).ok());
    length.and_then(|text| text.parse().ok()).unwrap_or_default()
}
