//! Where a key set is fetched.

use async_trait::async_trait;
use custody_base::outbound::{Call, Endpoint, Outbound, StatusCode};

/// Answers with the bytes of a JWKS.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// # Errors
    /// Why there is none; for the log.
    async fn fetch(&self) -> Result<Vec<u8>, String>;
}

/// A key set at a URL: a `jwks_uri`.
pub struct HttpKeys {
    outbound: Outbound,
    url: Endpoint,
}

// === impl HttpKeys ===

impl HttpKeys {
    pub fn new(outbound: Outbound, url: Endpoint) -> Self {
        Self { outbound, url }
    }
}

#[async_trait]
impl KeySource for HttpKeys {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        let call = Call::get(&self.url)
            .header("accept", "application/jwk-set+json, application/json")
            .map_err(|fault| fault.to_string())?;
        let answer = self.outbound.send(call).await.map_err(|fault| fault.to_string())?;
        match answer.status {
            StatusCode::OK => Ok(answer.body.to_vec()),
            other => Err(format!("status {}", other.as_u16())),
        }
    }
}
