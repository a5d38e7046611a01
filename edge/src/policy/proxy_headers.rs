//! Headers that only a proxy may write, and a guest is not a proxy.
//!
//! Such a header names the sender of a request, the place where it came in, or the request that it really is.
//! An origin that trusts the edge's address would accept it. The list is written down in docs/threat-model.md.

use std::borrow::Cow;

/// The name as a server behind CGI reads it, to whom `x_api.key` and `x-api-key` are one header: what
/// is neither letter nor digit is one character to it (RFC 3875 section 4.1.18).
pub fn read_as(name: &[u8]) -> Cow<'_, [u8]> {
    if name.iter().any(|byte| read_byte(byte) != *byte) {
        name.iter().map(read_byte).collect::<Vec<_>>().into()
    } else {
        name.into()
    }
}

/// Is `name`, read in this way, `read`?
pub fn is_read_as(name: &str, read: &[u8]) -> bool {
    name.len() == read.len() && name.as_bytes().iter().map(read_byte).eq(read.iter().copied())
}

/// May only a proxy write this header, [read as](read_as) servers do?
pub fn is_for_proxies(read: &[u8]) -> bool {
    // Most of a request's names end here.
    if !read.first().is_some_and(|first| FIRST_BYTES.contains(first)) {
        return false;
    }
    // No family begins another entry, so the last that is not behind the name is the only candidate.
    let behind = LIST.partition_point(|entry| entry.text() <= read);
    let candidate = behind.checked_sub(1).and_then(|n| LIST.get(n));
    candidate.is_some_and(|entry| match entry {
        Name(text) => *text == read,
        Family(text) => read.starts_with(text),
    })
}

fn read_byte(byte: &u8) -> u8 {
    if byte.is_ascii_alphanumeric() { *byte } else { b'-' }
}

use Entry::{Family, Name};

/// The names of such headers.
#[derive(Clone, Copy)]
enum Entry {
    Name(&'static [u8]),
    /// How the names of a whole family begin.
    Family(&'static [u8]),
}

impl Entry {
    const fn text(self) -> &'static [u8] {
        match self {
            Name(text) | Family(text) => text,
        }
    }
}

/// How the entries of the [`LIST`] begin.
const FIRST_BYTES: &[u8] = b"cdfilprstvwx";

/// Sorted, and no family begins another entry.
const LIST: [Entry; 69] = [
    Name(b"cf-access-authenticated-user-email"),
    Name(b"cf-access-jwt-assertion"),
    Family(b"cf-connecting-"),
    Name(b"cf-visitor"),
    Name(b"client-cert"),
    Name(b"client-cert-chain"),
    Name(b"client-ip"),
    Family(b"cloudfront-"),
    Name(b"do-connecting-ip"),
    Name(b"fastly-client-ip"),
    Name(b"fly-client-ip"),
    Family(b"fly-forwarded-"),
    Family(b"forwarded"),
    Name(b"front-end-https"),
    Name(b"incap-client-ip"),
    Family(b"l5d-"),
    Family(b"proxy-"),
    Family(b"remote-"),
    Family(b"ssl-client-"),
    Family(b"tailscale-user-"),
    Name(b"true-client-ip"),
    Name(b"via"),
    Family(b"wl-proxy-"),
    Family(b"x-accel-"),
    Family(b"x-amzn-mtls-"),
    Family(b"x-amzn-oidc-"),
    Name(b"x-apigateway-api-userinfo"),
    Family(b"x-appengine-"),
    Name(b"x-arr-clientcert"),
    Family(b"x-auth-request-"),
    Family(b"x-authenticated-"),
    Family(b"x-authentik-"),
    Family(b"x-azure-"),
    Family(b"x-client-cert"),
    Name(b"x-client-dn"),
    Name(b"x-client-ip"),
    Name(b"x-client-verify"),
    Name(b"x-cluster-client-ip"),
    Name(b"x-coming-from"),
    Family(b"x-consumer-"),
    Name(b"x-endpoint-api-userinfo"),
    // Envoy obeys many of these (retries, timeouts); a guest has no say there.
    Family(b"x-envoy-"),
    Family(b"x-forward"),
    Family(b"x-goog-authenticated-user-"),
    Family(b"x-goog-iap-"),
    Name(b"x-host"),
    Family(b"x-http-"),
    Family(b"x-invoke-"),
    Name(b"x-matched-path"),
    Name(b"x-method-override"),
    Family(b"x-middleware-"),
    Family(b"x-ms-client-principal"),
    Name(b"x-ms-original-url"),
    Name(b"x-nf-client-connection-ip"),
    Family(b"x-original"),
    Family(b"x-originating-"),
    Family(b"x-pomerium-"),
    Name(b"x-proxyuser-ip"),
    Family(b"x-real-"),
    Family(b"x-remote-"),
    Family(b"x-rewrite-"),
    Name(b"x-scheme"),
    Family(b"x-sendfile-"),
    Name(b"x-sucuri-clientip"),
    Name(b"x-url-scheme"),
    Name(b"x-userinfo"),
    Family(b"x-vercel-forwarded-"),
    Name(b"x-waws-unencoded-url"),
    Family(b"x-webauth-"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn is_removed(name: &str) -> bool {
        is_for_proxies(&read_as(name.as_bytes()))
    }

    #[test]
    fn the_list_is_sorted_and_no_family_begins_another_entry() {
        let texts = LIST.map(Entry::text);
        assert!(texts.is_sorted());
        let is_covered = |pair: &[Entry]| matches!(pair[0], Family(family) if pair[1].text().starts_with(family));
        assert!(!LIST.windows(2).any(is_covered));
        assert!(texts.iter().all(|text| FIRST_BYTES.contains(&text[0])));
        for text in texts {
            assert!(is_for_proxies(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_proxys_header_is_found_in_every_spelling() {
        for name in [
            "true-client-ip",
            "cf-connecting-ip",
            "cf-connecting-ipv6",
            "x-remote-user",
            "x-ms-original-url",
            "forwarded",
            "x-forwarded",
            "x-real-ip",
            "x-originating-ip",
            "x-http-method-override",
            "x.http.method.override",
            "x!original!url",
            "x_forwarded.host",
            "x~rewrite~url",
            "x-middleware-subrequest",
        ] {
            assert!(is_removed(name), "{name}");
        }
    }

    #[test]
    fn a_clients_header_is_left_alone() {
        for name in [
            "accept",
            "user-agent",
            "x-request-id",
            "x-ms-version",
            "x-ms-date",
            "x-amz-date",
            "x-goog-api-key",
            "x-goog-user-project",
            "cf-access-client-id",
            "cf-aig-metadata",
            "x-auth-key",
            "x-auth-email",
            "x-client-version",
            "x-amzn-trace-id",
            "traceparent",
            "fly-prefer-region",
            "x-github-api-version",
            "x-api-key",
            ":authority",
            ":path",
        ] {
            assert!(!is_removed(name), "{name}");
        }
    }
}
