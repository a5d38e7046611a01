//! OpenBao's HTTP API, as far as one needs it to set a server up: a call, its status, its JSON.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::crypto::ring;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// How long one call may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of one server, who trusts its CA alone.
pub(super) struct Api {
    agent: Agent,
    base: String,
}

// === impl Api ===

impl Api {
    /// # Errors
    /// `ca` is no PEM certificate.
    pub(super) fn new(address: SocketAddr, ca: &str) -> Result<Self> {
        let ca = Certificate::from_pem(ca.as_bytes()).context("OpenBao's CA")?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&[ca]))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            // OpenBao lists with LIST.
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        Ok(Self { agent, base: format!("https://{address}/v1/") })
    }

    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header("x-vault-token", token);
        }
        let what = || format!("{method} {path} of OpenBao");
        let answer = match body {
            Some(body) => self.agent.run(request.body(body.to_string()).with_context(what)?),
            None => self.agent.run(request.body(()).with_context(what)?),
        };
        let mut answer = answer.with_context(what)?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().with_context(what)?;
        // Much of what succeeds is answered with nothing (204).
        let json = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).with_context(|| format!("{}: {status} {text}", what()))?
        };
        Ok((status, json))
    }
}
