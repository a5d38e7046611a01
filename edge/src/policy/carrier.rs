//! Where a Session JWT may be read from.

/// A place in a request that may hold the Session JWT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `Proxy-Authorization: Bearer JWT`, or `Basic` with any user name and the JWT as password.
    ProxyAuthorization,
    /// `Authorization: Bearer JWT`, or `Basic` with any user name and the JWT as password.
    Authorization,
    /// A header of its own, lower-case: `NAME: JWT` or `NAME: Bearer JWT`.
    Header(String),
}

// === impl Carrier ===

impl Carrier {
    /// The header's name, lower-case.
    pub fn header(&self) -> &str {
        match self {
            Self::ProxyAuthorization => "proxy-authorization",
            Self::Authorization => "authorization",
            Self::Header(name) => name,
        }
    }
}
