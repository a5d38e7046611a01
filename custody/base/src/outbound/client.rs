//! The client: it makes calls, and reads their answers into memory that is wiped.

use super::{Answer, Call, CallFault, Reach, ReachFault, tls};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use std::error::Error;
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// An HTTP client. Cloning it shares its connections.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    body_limit: usize,
}

/// A connection keeps in its buffers what it read last, which may be a secret; an idle one is closed, and
/// they are wiped.
const IDLE: Duration = Duration::from_secs(5);

// === impl Reach ===

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
