//! Where a key set is fetched.

use async_trait::async_trait;
use axum::http::header::LOCATION;
use custody_base::outbound::{Call, Endpoint, Outbound, StatusCode};

/// Answers with the bytes of a JWKS.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// # Errors
    /// Why there is none; for the log.
    async fn fetch(&self) -> Result<Vec<u8>, String>;
}

/// Characters of a redirect's `location` in the log.
const LOCATION_SHOWN: usize = 200;

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
            other => match answer.headers.get(LOCATION) {
                Some(location) if other.is_redirection() => {
                    let location = String::from_utf8_lossy(location.as_bytes());
                    let location: String = location.chars().take(LOCATION_SHOWN).collect();
                    let status = other.as_u16();
                    Err(format!(
                        "status {status}, a redirect to {location:?}, which is not followed; name it as url"
                    ))
                }
                _ => Err(format!("status {}", other.as_u16())),
            },
        }
    }
}
