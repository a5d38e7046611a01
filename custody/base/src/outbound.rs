//! Calls to other services: the one place that builds HTTP clients.
//!
//! A client trusts a CA file or the system's store, follows no redirect (it would carry a token to
//! whoever is named), asks no proxy out of the environment, waits a bounded time for a bounded
//! answer, and keeps the answer in memory that is wiped. Its faults never hold a URL, a header or
//! a body: they go to logs.

mod call;
mod endpoint;
mod json;
mod renewed;
mod tls;

pub use call::Call;
pub use endpoint::{Endpoint, EndpointFault};
pub use json::{optional_secret, secret};
pub use reqwest::{Method, StatusCode};
pub use tls::config as tls_config;

use crate::tls::TlsFault;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// How the servers of one section of the configuration are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Who signs their certificates (PEM); `None`: whom the operating system trusts.
    pub ca: Option<PathBuf>,
    /// What is shown to servers that ask for a client certificate.
    pub identity: Option<Identity>,
    /// TCP and TLS together.
    pub connect: Duration,
    /// The whole exchange, to the last byte of the answer.
    pub total: Duration,
    /// The longest answer, in bytes.
    pub body_limit: usize,
}

/// A client certificate and its key, PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub certificate: PathBuf,
    /// Readable by its owner and group alone.
    pub key: PathBuf,
}

/// The client cannot be built. The texts begin with the field.
#[derive(Debug, thiserror::Error)]
pub enum ReachFault {
    #[error(transparent)]
    Pem(#[from] TlsFault),
    #[error("ca: {0}")]
    Ca(String),
    #[error("ca: is not given, and the operating system's own cannot be used: {0}")]
    System(rustls::Error),
    #[error("certificate: does not go with the key: {0}")]
    Pair(rustls::Error),
    #[error("{0}")]
    Client(String),
}

/// An HTTP client. Cloning it shares its connections.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    body_limit: usize,
}

/// What came back, whatever its status.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
}

/// No answer that could be used. The texts hold nothing of the call or the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    #[error("it did not answer in time")]
    TimedOut,
    #[error("cannot connect: {0}")]
    Unreachable(String),
    #[error("the exchange broke off: {0}")]
    Broken(String),
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
    #[error(
        "its answer is not the JSON that was expected ({category}, line {line} column {column})"
    )]
    NotJson { category: &'static str, line: usize, column: usize },
    /// A value of ours cannot be sent where it was meant to go; nothing was.
    #[error("the call cannot be made: {0}")]
    Unsendable(&'static str),
}

/// A connection keeps in its buffers what it read last, which may be a secret; an idle one is closed, and
/// they are wiped.
const IDLE: Duration = Duration::from_secs(5);

// === impl Reach ===

impl Default for Reach {
    fn default() -> Self {
        Self {
            ca: None,
            identity: None,
            connect: Duration::from_secs(3),
            total: Duration::from_secs(10),
            body_limit: 1 << 20,
        }
    }
}

impl Reach {
    /// Builds the client. Reads the files now, and again when they have been renewed.
    ///
    /// # Errors
    /// A file is not there or does not read; the text begins with the field's name.
    pub fn client(&self) -> Result<Outbound, ReachFault> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(self)?)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(self.connect)
            .timeout(self.total)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("leasehold-custody/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ReachFault::Client(innermost(&error)))?;
        Ok(Outbound { client, body_limit: self.body_limit })
    }
}

// === impl Outbound ===

impl Outbound {
    /// Makes the call.
    ///
    /// # Errors
    /// There was no whole answer. A status is never an error.
    pub async fn send(&self, call: Call) -> Result<Answer, CallFault> {
        let mut response = self.client.execute(call.into_request()).await.map_err(fault_of)?;
        let body = self.read(&mut response).await?;
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status: response.status(), headers, body })
    }

    async fn read(&self, response: &mut Response) -> Result<Zeroizing<Vec<u8>>, CallFault> {
        let announced = response.content_length().unwrap_or(0);
        let limit = self.body_limit;
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(CallFault::TooLong(limit));
        }
        let mut body = Zeroizing::new(Vec::with_capacity(announced));
        while let Some(chunk) = response.chunk().await.map_err(fault_of)? {
            if body.len() + chunk.len() > limit {
                return Err(CallFault::TooLong(limit));
            }
            append(&mut body, &chunk);
            // The connection's own buffer, if nobody else looks at this part of it any more.
            if let Ok(mut unique) = chunk.try_into_mut() {
                unique.as_mut().zeroize();
            }
        }
        Ok(body)
    }
}

/// As `extend_from_slice`, but what the vector leaves behind when it moves is wiped.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    if body.capacity() - body.len() < chunk.len() {
        let room = (body.len() + chunk.len()).next_power_of_two();
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

// === impl Answer ===

impl Answer {
    /// The body, as JSON.
    ///
    /// # Errors
    /// It is something else. What it is, is not said: serde's own messages quote values.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallFault> {
        json::read(&self.body)
    }
}

// === impl CallFault ===

fn fault_of(error: reqwest::Error) -> CallFault {
    if error.is_timeout() {
        CallFault::TimedOut
    } else if error.is_connect() {
        CallFault::Unreachable(innermost(&error))
    } else {
        CallFault::Broken(innermost(&error))
    }
}

/// The cause alone: the outer layers of an error name the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn Error> = error.source();
    while let Some(inner) = cause.and_then(Error::source) {
        cause = Some(inner);
    }
    cause.map_or_else(|| "no reason given".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests;
