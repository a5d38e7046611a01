//! Where the token endpoint is: configured, or found by the issuer's metadata (RFC 8414).

use crate::BackendFault;
use custody_base::outbound::{Call, Endpoint, Outbound, StatusCode};
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
    Configured(Places),
    Discovered(Box<Discovery>),
}

struct Discovery {
    issuer: String,
    /// In the order in which they are asked for.
    documents: [Endpoint; 2],
    found: Mutex<Option<Found>>,
}

/// Where one server is.
#[derive(Clone)]
struct Places {
    token: Endpoint,
    /// RFC 7009; not every server has one.
    revocation: Option<Endpoint>,
}

struct Found {
    places: Places,
    ask_again: Instant,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: Option<String>,
}

// === impl Endpoints ===

impl Endpoints {
    pub fn configured(token: Endpoint, revocation: Option<Endpoint>) -> Self {
        Self(Kind::Configured(Places { token, revocation }))
    }

    /// Of the server with this issuer identifier, as the server itself writes it.
    ///
    /// # Errors
    /// Custody may not call such a URL; for the configuration.
    pub fn discovered(issuer: &str) -> Result<Self, custody_base::outbound::EndpointFault> {
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
        Ok(self.places(outbound).await?.token)
    }

    /// The revocation endpoint (RFC 7009), if the server has one.
    ///
    /// # Errors
    /// Those of [`Self::token`].
    pub async fn revocation(&self, outbound: &Outbound) -> Result<Option<Endpoint>, BackendFault> {
        Ok(self.places(outbound).await?.revocation)
    }

    async fn places(&self, outbound: &Outbound) -> Result<Places, BackendFault> {
        let Discovery { issuer, documents, found } = match &self.0 {
            Kind::Configured(places) => return Ok(places.clone()),
            Kind::Discovered(discovery) => &**discovery,
        };
        // Held over the call: whoever comes meanwhile wants the same answer.
        let mut found = found.lock().await;
        if let Some(found) = found.as_ref().filter(|found| Instant::now() < found.ask_again) {
            return Ok(found.places.clone());
        }
        match discover(outbound, issuer, documents).await {
            Ok(places) => {
                let ask_again = Instant::now() + FRESH;
                *found = Some(Found { places: places.clone(), ask_again });
                Ok(places)
            }
            Err(fault) => match found.as_mut() {
                Some(found) => {
                    tracing::warn!(issuer, %fault, "failed to fetch the issuer's metadata: custody uses the last one");
                    found.ask_again = Instant::now() + PAUSE;
                    Ok(found.places.clone())
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
) -> Result<Places, BackendFault> {
    for document in documents {
        let answer = outbound.send(Call::get(document)).await?;
        if answer.status == StatusCode::OK {
            return places_of(answer.json()?, issuer);
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
fn places_of(metadata: Metadata, issuer: &str) -> Result<Places, BackendFault> {
    if metadata.issuer != issuer {
        return Err(BackendFault::Unfit("its metadata names another issuer"));
    }
    let token = Endpoint::parse(&metadata.token_endpoint).map_err(|_| {
        BackendFault::Unfit("the token_endpoint of its metadata is not an https URL")
    })?;
    let revocation = metadata.revocation_endpoint.as_deref().map(Endpoint::parse).transpose();
    let revocation = revocation.unwrap_or_else(|fault| {
        tracing::warn!(issuer, %fault, "failed to use the revocation_endpoint of the issuer's metadata");
        None
    });
    Ok(Places { token, revocation })
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
            revocation_endpoint: None,
        };
        let (issuer, token) = ("https://a.example", "https://t.example/token");
        assert!(places_of(metadata(issuer, token), issuer).is_ok());
        for other in ["https://a.example/", "https://A.example", "https://b.example", ""] {
            assert!(places_of(metadata(other, token), issuer).is_err(), "{other}");
        }
        for bad in ["http://t.example/token", "/token", ""] {
            assert!(places_of(metadata(issuer, bad), issuer).is_err(), "{bad}");
        }
    }
}
