//! What a guest sets in its environment, so that programs need no change: docs/clients.md explains each name.

/// The proxy in every spelling that programs read, the CA in every variable that names one, and the way past the
/// proxy for loopback.
#[must_use]
pub fn guest_environment(proxy_url: &str, ca: &str) -> Vec<(&'static str, String)> {
    let proxies = ["HTTPS_PROXY", "https_proxy", "WSS_PROXY", "wss_proxy"];
    let loopback = ["NO_PROXY", "no_proxy"];
    let certificates = [
        "SSL_CERT_FILE",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "PIP_CERT",
        "AWS_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "NODE_EXTRA_CA_CERTS",
        "NPM_CONFIG_CAFILE",
        "DENO_CERT",
        "CARGO_HTTP_CAINFO",
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        "PERL_LWP_SSL_CA_FILE",
    ];
    let set = |names: &[&'static str], value: &str| -> Vec<_> {
        names.iter().map(|name| (*name, value.to_owned())).collect()
    };
    // Node's own `fetch` reads HTTPS_PROXY only when this is set.
    let node = [("NODE_USE_ENV_PROXY", "1".to_owned())];
    [set(&proxies, proxy_url), set(&loopback, "localhost,127.0.0.1,::1"), set(&certificates, ca)]
        .into_iter()
        .flatten()
        .chain(node)
        .collect()
}
