//! The destination of everything that is measured: a second Envoy that answers by itself, in the clear
//! and over TLS, faster than the one under load can ask.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use stack::authority::Authority;
use stack::envoy::{Envoy, EnvoyBinary};

use super::variant::set;

/// A running origin.
pub struct Origin {
    envoy: Envoy,
    /// The port of its listener with TLS.
    pub tls: SocketAddr,
}

/// The listener that [`Envoy`] waits for, and the one with TLS.
const CLEAR: &str = "guests";
const TLS: &str = "tls";

// === impl Origin ===

impl Origin {
    /// Its certificate carries `name`, and chains to `authority`.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(
        binary: &EnvoyBinary,
        authority: &Authority,
        name: &str,
        folder: &Path,
    ) -> Result<Self> {
        let [certificate, key] = authority.identity(&[name.to_owned()])?;
        let identity = json!({
            "certificate_chain": {"inline_string": certificate},
            "private_key": {"inline_string": key},
        });
        let config = json!({
            "admin": {"address": any_port()},
            "static_resources": {"listeners": [listener(CLEAR, None), listener(TLS, Some(identity))]},
        });
        let envoy = Envoy::start_with_workers(1, binary, &config.to_string(), folder)?;
        let tls = *envoy.admin().listeners()?.get(TLS).context("an origin without TLS")?;
        Ok(Self { envoy, tls })
    }

    /// Where it answers in the clear.
    pub fn clear(&self) -> SocketAddr {
        self.envoy.listen_address()
    }
}

fn any_port() -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}})
}

fn listener(name: &str, identity: Option<Value>) -> Value {
    let network = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3";
    let tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    let mut chain = json!({"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": format!("{network}.HttpConnectionManager"),
            "stat_prefix": name,
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                },
            }],
            "route_config": {"virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{
                    "match": {"prefix": "/"},
                    "direct_response": {"status": 200, "body": {"inline_string": "{\"ok\":true}"}},
                }],
            }]},
        },
    }]});
    if let Some(identity) = identity {
        let socket = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": tls,
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_certificates": [identity],
                },
            },
        });
        set(&mut chain, "transport_socket", socket);
    }
    json!({"name": name, "address": any_port(), "filter_chains": [chain]})
}
