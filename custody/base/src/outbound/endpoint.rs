//! Where a call may go.

use reqwest::Url;
use std::fmt;
use std::net::IpAddr;

/// The URL of a service: `https`, or plain `http` to this very machine. It has no user name, no
/// password and no fragment.
///
/// `Debug` and `Display` leave the query out.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// The text is no [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    #[error("is a URL, as in https://bao.internal:8200")]
    NotUrl,
    #[error("must begin with https:// (http:// is for loopback addresses only)")]
    NotHttps,
    #[error("must have no user name, password, query or fragment")]
    Extra,
}

// === impl Endpoint ===

impl Endpoint {
    /// # Errors
    /// See [`EndpointFault`].
    pub fn parse(text: &str) -> Result<Self, EndpointFault> {
        let url = Url::parse(text).map_err(|_| EndpointFault::NotUrl)?;
        let host = url.host_str().ok_or(EndpointFault::NotUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            _ => return Err(EndpointFault::NotHttps),
        }
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if bare { Ok(Self(url)) } else { Err(EndpointFault::Extra) }
    }

    /// The endpoint with these segments behind its path; what is special in a URL is escaped.
    /// Segments that are `.` or `..` are left out.
    #[must_use]
    pub fn below<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut url = self.0.clone();
        // Fails only for URLs that have no host.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Self(url)
    }

    /// The endpoint with this query (in place of the one it had).
    #[must_use]
    pub fn with_query(&self, pairs: &[(&str, &str)]) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        Self(url)
    }

    /// The whole URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(super) fn url(&self) -> Url {
        self.0.clone()
    }
}

/// `localhost` is always this machine (RFC 6761 section 6.3); other names may resolve anywhere.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in [
            "https://bao.internal:8200",
            "https://10.0.0.1/base/",
            "http://127.0.0.9:1/x",
            "http://[::1]:1",
            "http://[::ffff:127.0.0.1]",
            "http://localhost:8200",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for (bad, fault) in [
            ("http://10.0.0.1", EndpointFault::NotHttps),
            ("http://bao.internal", EndpointFault::NotHttps),
            ("http://localhost.example", EndpointFault::NotHttps),
            ("ftp://127.0.0.1", EndpointFault::NotHttps),
            ("file:///etc/passwd", EndpointFault::NotUrl),
            ("bao.internal", EndpointFault::NotUrl),
            ("", EndpointFault::NotUrl),
            ("https://u:p@bao.internal", EndpointFault::Extra),
            ("https://bao.internal?x=1", EndpointFault::Extra),
            ("https://bao.internal#x", EndpointFault::Extra),
        ] {
            assert_eq!(Endpoint::parse(bad), Err(fault), "{bad}");
        }
    }

    #[test]
    fn a_segment_stays_a_segment() {
        let base = Endpoint::parse("https://bao.internal/base/").unwrap();
        assert_eq!(base.below(["v1", "a"]).as_str(), "https://bao.internal/base/v1/a");
        let strange = base.below(["a/b", "c?d#e", "..", "ü"]);
        assert_eq!(strange.as_str(), "https://bao.internal/base/a%2Fb/c%3Fd%23e/%C3%BC");
    }

    #[test]
    fn a_query_is_never_shown() {
        let endpoint = Endpoint::parse("https://a.example/x").unwrap();
        let endpoint = endpoint.with_query(&[("code", "canary & more")]);
        assert_eq!(endpoint.as_str(), "https://a.example/x?code=canary+%26+more");
        assert_eq!(format!("{endpoint} {endpoint:?}"), "https://a.example/x https://a.example/x");
    }
}
