//! Headers by which only a proxy has something to say, and a guest is none.
//!
//! Such a header says who sent a request, where it came in, or which request it really is. An origin that
//! trusts the edge's address would believe it. The list is written down in docs/threat-model.md.

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

/// Is this, [read as](read_as) servers do, for a proxy alone to say?
pub fn is_for_proxies(read: &[u8]) -> bool {
    if NAMES.binary_search(&read).is_ok() {
        return true;
    }
    // No prefix begins another one, so the last that is not behind the name is the only candidate.
    let behind = FAMILIES.partition_point(|family| *family <= read);
    let candidate = behind.checked_sub(1).and_then(|n| FAMILIES.get(n));
    candidate.is_some_and(|family| read.starts_with(family))
}

fn read_byte(byte: &u8) -> u8 {
    if byte.is_ascii_alphanumeric() { *byte } else { b'-' }
}

/// Sorted.
const NAMES: [&[u8]; 32] = [
    b"cf-access-authenticated-user-email",
    b"cf-access-jwt-assertion",
    b"cf-visitor",
    b"client-cert",
    b"client-cert-chain",
    b"client-ip",
    b"do-connecting-ip",
    b"fastly-client-ip",
    b"fly-client-ip",
    b"front-end-https",
    b"incap-client-ip",
    b"true-client-ip",
    b"via",
    b"x-apigateway-api-userinfo",
    b"x-arr-clientcert",
    b"x-client-dn",
    b"x-client-ip",
    b"x-client-verify",
    b"x-cluster-client-ip",
    b"x-coming-from",
    b"x-endpoint-api-userinfo",
    b"x-host",
    b"x-matched-path",
    b"x-method-override",
    b"x-ms-original-url",
    b"x-nf-client-connection-ip",
    b"x-proxyuser-ip",
    b"x-scheme",
    b"x-sucuri-clientip",
    b"x-url-scheme",
    b"x-userinfo",
    b"x-waws-unencoded-url",
];

/// Whole families, by how their names begin; sorted, and none begins another.
const FAMILIES: [&[u8]; 37] = [
    b"cf-connecting-",
    b"cloudfront-",
    b"fly-forwarded-",
    b"forwarded",
    b"l5d-",
    b"proxy-",
    b"remote-",
    b"ssl-client-",
    b"tailscale-user-",
    b"wl-proxy-",
    b"x-accel-",
    b"x-amzn-mtls-",
    b"x-amzn-oidc-",
    b"x-appengine-",
    b"x-auth-request-",
    b"x-authenticated-",
    b"x-authentik-",
    b"x-azure-",
    b"x-client-cert",
    b"x-consumer-",
    // Envoy obeys many of these (retries, timeouts); a guest has no say there.
    b"x-envoy-",
    b"x-forward",
    b"x-goog-authenticated-user-",
    b"x-goog-iap-",
    b"x-http-",
    b"x-invoke-",
    b"x-middleware-",
    b"x-ms-client-principal",
    b"x-original",
    b"x-originating-",
    b"x-pomerium-",
    b"x-real-",
    b"x-remote-",
    b"x-rewrite-",
    b"x-sendfile-",
    b"x-vercel-forwarded-",
    b"x-webauth-",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn is_removed(name: &str) -> bool {
        is_for_proxies(&read_as(name.as_bytes()))
    }

    #[test]
    fn the_lists_are_sorted_and_no_family_begins_another() {
        assert!(NAMES.is_sorted() && FAMILIES.is_sorted());
        assert!(FAMILIES.windows(2).all(|pair| !pair[1].starts_with(pair[0])));
        for name in NAMES.iter().chain(&FAMILIES) {
            assert!(is_for_proxies(name), "{}", String::from_utf8_lossy(name));
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
