//! Where the token endpoint is: configured, or found by the issuer's metadata (RFC 8414).

use crate::backend::BackendFault;
use crate::outbound::{Call, Endpoint, Outbound, StatusCode};
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long metadata is used before it is asked for again; what was found stays if that fails.
const FRESH: Duration = Duration::from_secs(3600);
/// How long after such a failure it is not tried again.
const PAUSE: Duration = Duration::from_secs(30);

/// The endpoints of an authorization server.
pub struct Endpoints(Kind);

enum Kind {
    Configured(Endpoint),
    Discovered(Box<Discovery>),
}

struct Discovery {
    issuer: String,
    /// In the order in which they are asked for.
    documents: [Endpoint; 2],
    found: Mutex<Option<Found>>,
}

struct Found {
    token: Endpoint,
    ask_again: Instant,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: String,
}

// === impl Endpoints ===

impl Endpoints {
    pub fn configured(token: Endpoint) -> Self {
        Self(Kind::Configured(token))
    }

    /// Of the server with this issuer identifier, as the server itself writes it.
    ///
    /// # Errors
    /// It is no URL that may be called; for the configuration.
    pub fn discovered(issuer: &str) -> Result<Self, crate::outbound::EndpointFault> {
        Endpoint::parse(issuer)?;
        let documents = documents_of(issuer);
        let documents = [Endpoint::parse(&documents[0])?, Endpoint::parse(&documents[1])?];
        let issuer = issuer.to_owned();
        let found = Mutex::new(None);
        Ok(Self(Kind::Discovered(Box::new(Discovery { issuer, documents, found }))))
    }

    /// The token endpoint.
    ///
    /// # Errors
    /// There is no metadata yet and now none either, or it is not this issuer's.
    pub async fn token(&self, outbound: &Outbound) -> Result<Endpoint, BackendFault> {
        let Discovery { issuer, documents, found } = match &self.0 {
            Kind::Configured(token) => return Ok(token.clone()),
            Kind::Discovered(discovery) => &**discovery,
        };
        // Held over the call: whoever comes meanwhile wants the same answer.
        let mut found = found.lock().await;
        if let Some(found) = found.as_ref().filter(|found| Instant::now() < found.ask_again) {
            return Ok(found.token.clone());
        }
        match discover(outbound, issuer, documents).await {
            Ok(token) => {
                let ask_again = Instant::now() + FRESH;
                *found = Some(Found { token: token.clone(), ask_again });
                Ok(token)
            }
            Err(fault) => match found.as_mut() {
                Some(found) => {
                    tracing::warn!(issuer, %fault, "no new metadata; the last stays");
                    found.ask_again = Instant::now() + PAUSE;
                    Ok(found.token.clone())
                }
                None => Err(fault),
            },
        }
    }

    /// Whom an assertion of ours is for: the issuer if it is known, else the endpoint.
    pub fn audience<'a>(&'a self, token: &'a Endpoint) -> &'a str {
        match &self.0 {
            Kind::Configured(_) => token.as_str(),
            Kind::Discovered(discovery) => &discovery.issuer,
        }
    }
}

/// RFC 8414 section 3.1 puts the well-known part between host and path, OpenID Connect Discovery
/// behind both; the second is asked if the first is not there.
fn documents_of(issuer: &str) -> [String; 2] {
    let host_from = issuer.find("://").map_or(0, |at| at + 3);
    let path_from = issuer[host_from..].find('/').map_or(issuer.len(), |at| host_from + at);
    let (origin, path) = issuer.split_at(path_from);
    let path = path.trim_end_matches('/');
    [
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ]
}

async fn discover(
    outbound: &Outbound,
    issuer: &str,
    documents: &[Endpoint],
) -> Result<Endpoint, BackendFault> {
    for document in documents {
        let answer = outbound.send(Call::get(document)).await.map_err(super::down)?;
        if answer.status == StatusCode::OK {
            return token_endpoint(answer.json().map_err(super::down)?, issuer);
        }
        // Not there, under this name. Anything else is a server in trouble.
        if !answer.status.is_client_error() {
            let status = answer.status.as_u16();
            return Err(BackendFault::Down(format!("its metadata: status {status}")));
        }
    }
    Err(BackendFault::Down("it publishes no metadata; configure token_endpoint".into()))
}

/// The issuer must be the very text that was asked for (RFC 8414 section 3.3), or one server could
/// speak for another.
fn token_endpoint(metadata: Metadata, issuer: &str) -> Result<Endpoint, BackendFault> {
    if metadata.issuer != issuer {
        return Err(BackendFault::Unfit("its metadata names another issuer"));
    }
    Endpoint::parse(&metadata.token_endpoint)
        .map_err(|_| BackendFault::Unfit("the token_endpoint of its metadata is no https URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_where_the_rfcs_say() {
        for (issuer, oauth, openid) in [
            (
                "https://a.example",
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                "https://a.example:8443/",
                "https://a.example:8443/.well-known/oauth-authorization-server",
                "https://a.example:8443/.well-known/openid-configuration",
            ),
            (
                "https://a.example/tenant/one",
                "https://a.example/.well-known/oauth-authorization-server/tenant/one",
                "https://a.example/tenant/one/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(documents_of(issuer), [oauth, openid]);
        }
        for bad in ["http://a.example", "a.example", "https://a.example?x", "https://a.example#x"] {
            assert!(Endpoints::discovered(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_of_another_is_refused() {
        let metadata = |issuer: &str, token_endpoint: &str| Metadata {
            issuer: issuer.into(),
            token_endpoint: token_endpoint.into(),
        };
        let (issuer, token) = ("https://a.example", "https://t.example/token");
        assert!(token_endpoint(metadata(issuer, token), issuer).is_ok());
        for other in ["https://a.example/", "https://A.example", "https://b.example", ""] {
            assert!(token_endpoint(metadata(other, token), issuer).is_err(), "{other}");
        }
        for bad in ["http://t.example/token", "/token", ""] {
            assert!(token_endpoint(metadata(issuer, bad), issuer).is_err(), "{bad}");
        }
    }
}
