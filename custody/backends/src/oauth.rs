//! OAuth 2: access tokens from an authorization server, by one of three grants.
//!
//! * client credentials (RFC 6749 section 4.4),
//! * a refresh token from the sealed store (section 6), which may be rotated: [`rotation`],
//! * token exchange (RFC 8693), with the Session JWT as the subject token.
//!
//! It is written on [`custody_base::outbound`] and not on a client crate. Those keep tokens in plain
//! strings that nobody wipes, and support neither token exchange nor RFC 8414. They would save one form
//! and one JSON object.
//!
//! A scope that the grant narrows away is not requested, and a token with more scope than that is not
//! used. Where no grant narrows, a token with more scope than was requested is used with a warning.

mod answer;
mod client;
mod endpoints;
mod rotation;
mod scope;

use super::live_tokens::{self, Changes, Issuer, LiveTokens};
use super::tokens::{Token, TokenKey, owner};
use super::{BackendFault, CredentialBackend, CredentialRequest, LongLived, MintingStores};
use answer::{ACCESS_TOKEN, Access, Expected, Granted, JWT};
use async_trait::async_trait;
pub use client::{BasicEncoding, Client, ClientAuth};
use custody_base::actor::Actor;
use custody_base::clock;
use custody_base::credential::{Credential, CredentialType, Resolved};
use custody_base::outbound::{Call, Outbound};
pub use endpoints::Endpoints;
use lease::{Handle, Secret, UnixSeconds};
use rotation::{Rotation, Spent};
use sha2::{Digest, Sha256};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

/// RFC 8693 section 2.1.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// An authorization server, and who we are to it.
pub struct AuthorizationServer {
    name: String,
    outbound: Outbound,
    endpoints: Endpoints,
    client: Client,
    /// Of a token whose answer has no life, in seconds.
    lifetime: Option<u64>,
    secrets: Arc<dyn LongLived>,
    rotation: Rotation,
    tokens: LiveTokens,
}

/// By what right a token is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    ClientCredentials,
    /// The refresh token is in the sealed store, of the actor whose credential is asked for.
    RefreshToken {
        handle: Handle,
    },
    /// The Session JWT is exchanged.
    TokenExchange,
}

/// The settings of one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    pub grant: Grant,
    /// All that may be requested; empty: what the server gives of its own accord.
    pub scopes: Vec<String>,
    /// Where the token shall be good (RFC 8707), absolute URIs.
    pub resources: Vec<String>,
    /// For whom it shall be good (RFC 8693 section 2.1; some servers take it elsewhere too).
    pub audience: Option<String>,
}

/// One credential of an authorization server.
pub struct OAuthSource {
    server: Arc<AuthorizationServer>,
    request: TokenRequest,
}

/// One request on its way: its own copy of everything, because it outlives who asked.
struct MintRequest {
    request: TokenRequest,
    actor: Actor,
    /// Narrowed.
    scopes: Vec<String>,
    /// By a grant.
    is_narrowed: bool,
    session: Option<Secret>,
    /// When a token of unknown life is taken to end.
    until: UnixSeconds,
}

// === impl AuthorizationServer ===

impl AuthorizationServer {
    /// `name`: as the configuration calls it, `backends.NAME`.
    pub fn new(
        name: String,
        outbound: Outbound,
        endpoints: Endpoints,
        client: Client,
        lifetime: Option<u64>,
        stores: MintingStores,
    ) -> Arc<Self> {
        let MintingStores { secrets, ledger, audit } = stores;
        let rotation = Rotation::new(Arc::clone(&secrets), ledger.clone());
        let changes: Changes = ledger;
        Arc::new_cyclic(|me: &Weak<Self>| {
            let tokens = LiveTokens::new(Arc::clone(&secrets), changes, audit, me.clone());
            Self { name, outbound, endpoints, client, lifetime, secrets, rotation, tokens }
        })
    }

    /// An access token for this credential, kept or new. Of an error of the server, custody reports
    /// only the registered code.
    async fn token(
        self: &Arc<Self>,
        request: &TokenRequest,
        asked: &CredentialRequest<'_>,
    ) -> Result<Arc<Token>, BackendFault> {
        if !asked.restriction.repositories.is_empty() || !asked.restriction.permissions.is_empty() {
            let what = "the grant narrows to repositories or permissions, which OAuth 2 has not";
            return Err(BackendFault::Denied(what.into()));
        }
        let scopes = scope::narrowed(&request.scopes, &asked.restriction.scopes)?;
        let session = match (&request.grant, asked.session) {
            (Grant::TokenExchange, None) => {
                let what = "there is no session to exchange";
                return Err(BackendFault::Denied(what.into()));
            }
            (Grant::TokenExchange, Some(session)) => Some(session),
            (Grant::ClientCredentials | Grant::RefreshToken { .. }, _) => None,
        };
        let key = key_of(request, asked, &scopes, session);
        self.tokens
            .get(key, clock::now(), || {
                let mint = MintRequest {
                    request: request.clone(),
                    actor: asked.actor.clone(),
                    scopes: scopes.clone(),
                    is_narrowed: !asked.restriction.scopes.is_empty(),
                    session: session.map(Secret::duplicate),
                    until: asked.until,
                };
                Arc::clone(self).mint(mint)
            })
            .await
    }

    async fn mint(self: Arc<Self>, mint: MintRequest) -> Result<Token, BackendFault> {
        // Before the clock of the token starts, and before a refresh token is locked.
        self.endpoints.token(&self.outbound).await?;
        match &mint.request.grant {
            Grant::ClientCredentials => {
                self.ask(&mint, &[("grant_type", b"client_credentials")]).await?.0
            }
            Grant::TokenExchange => {
                let session = mint.session.as_ref().map_or(&b""[..], Secret::expose);
                let fields: [(&str, &[u8]); 4] = [
                    ("grant_type", TOKEN_EXCHANGE.as_bytes()),
                    ("subject_token", session),
                    ("subject_token_type", JWT.as_bytes()),
                    ("requested_token_type", ACCESS_TOKEN.as_bytes()),
                ];
                self.ask(&mint, &fields).await?.0
            }
            Grant::RefreshToken { handle } => {
                let spend = async |refresh: &Secret| {
                    let fields: [(&str, &[u8]); 2] =
                        [("grant_type", b"refresh_token"), ("refresh_token", refresh.expose())];
                    self.ask(&mint, &fields).await
                };
                self.rotation.spend(&mint.actor, handle, spend).await
            }
        }
    }

    /// One token request: the grant's own fields, what is wanted, and who asks. Of a successful answer:
    /// the access token, if it is fit, and the next refresh token.
    async fn ask(&self, mint: &MintRequest, grant: &[(&str, &[u8])]) -> Spent {
        let endpoint = self.endpoints.token(&self.outbound).await?;
        let scope = mint.scopes.join(" ");
        let mut fields = grant.to_vec();
        if !scope.is_empty() {
            fields.push(("scope", scope.as_bytes()));
        }
        for resource in &mint.request.resources {
            fields.push(("resource", resource.as_bytes()));
        }
        if let Some(audience) = &mint.request.audience {
            fields.push(("audience", audience.as_bytes()));
        }
        let now = clock::now();
        let audience = self.endpoints.audience(&endpoint);
        let (proof, minted_from) = self.client.prove(&*self.secrets, audience, now).await?;
        let minted_from = minted_from.into_iter().collect();
        let call = proof.on(Call::post(&endpoint), fields)?;
        let answer = self.outbound.send(call).await?;
        let is_exchanged = mint.request.grant == Grant::TokenExchange;
        let expected = Expected { is_exchanged, lifetime: self.lifetime };
        let Granted { access, refresh } = answer::read(&answer, expected)?;
        let token = access.and_then(|Access { token: secret, life, scope }| {
            let minted = scope::checked(scope, &mint.scopes, mint.is_narrowed)?;
            self.warn_of_extra(&mint.actor, &minted.extra);
            let scope = minted.all;
            let expires_at = life.map_or(mint.until, |life| now.saturating_add(life));
            let ended = AtomicBool::default();
            Ok(Token { secret, scope, minted_at: now, expires_at, minted_from, ended })
        });
        Ok((token, refresh))
    }

    fn warn_of_extra(&self, actor: &Actor, extra: &[String]) {
        if extra.is_empty() {
            return;
        }
        let shown: Vec<_> = extra.iter().filter(|scope| scope.len() <= 100).take(10).collect();
        tracing::warn!(
            backend = self.name, %actor, extra = extra.len(), scopes = ?shown,
            "the authorization server gave scopes that custody did not request; fix: scopes of the \
             client at that server, or narrow.scopes in the grant, which refuses such a token"
        );
    }
}

#[async_trait]
impl Issuer for AuthorizationServer {
    fn name(&self) -> &str {
        &self.name
    }

    /// RFC 7009.
    async fn revoke(&self, token: &Secret) -> Result<bool, BackendFault> {
        let Some(endpoint) = self.endpoints.revocation(&self.outbound).await? else {
            return Ok(false);
        };
        let place = self.endpoints.token(&self.outbound).await?;
        let audience = self.endpoints.audience(&place);
        let (proof, _) = self.client.prove(&*self.secrets, audience, clock::now()).await?;
        let fields = vec![("token", token.expose()), ("token_type_hint", &b"access_token"[..])];
        let call = proof.on(Call::post(&endpoint), fields)?;
        let answer = self.outbound.send(call).await?;
        live_tokens::is_revoked(answer.status)
    }
}

// === impl OAuthSource ===

impl OAuthSource {
    pub fn new(server: Arc<AuthorizationServer>, request: TokenRequest) -> Self {
        Self { server, request }
    }
}

#[async_trait]
impl CredentialBackend for OAuthSource {
    fn name(&self) -> &str {
        &self.server.name
    }

    fn is_capable(&self, asked: &CredentialRequest<'_>) -> bool {
        asked.kind.is_none_or(|kind| kind == CredentialType::Bearer)
    }

    async fn resolve(&self, asked: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        let token = self.server.token(&self.request, asked).await?;
        let TokenRequest { resources, audience, .. } = &self.request;
        Ok(Resolved {
            credential: Credential::Bearer { token: token.secret.duplicate() },
            target: resources.first().or(audience.as_ref()).cloned(),
            scope: token.scope.clone(),
            expires_at: Some(token.expires_at),
            // One token serves many leases; to revoke it with one of them would end the others.
            revocation: None,
            made_from: token.minted_from.clone(),
        })
    }

    async fn revoke(&self, _: &str) {}

    fn forget(&self, actor: &Actor, handle: &Handle) {
        self.server.tokens.forget(&owner(actor, handle), clock::now());
    }

    async fn sweep(&self) -> Result<(), BackendFault> {
        self.server.tokens.sweep(clock::now()).await
    }
}

/// Everything a token depends on. Each part with its length, so that no two lists look alike.
fn key_of(
    request: &TokenRequest,
    asked: &CredentialRequest<'_>,
    scopes: &[String],
    session: Option<&Secret>,
) -> TokenKey {
    let TokenRequest { grant, scopes: _, resources, audience } = request;
    let mut digest = Sha256::new();
    let mut part = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    part(asked.handle.as_str().as_bytes());
    part(asked.actor.as_str().as_bytes());
    match grant {
        Grant::ClientCredentials => part(b"client_credentials"),
        Grant::RefreshToken { handle } => {
            part(b"refresh_token");
            part(handle.as_str().as_bytes());
        }
        Grant::TokenExchange => part(b"token_exchange"),
    }
    part(session.map_or(&b""[..], Secret::expose));
    part(audience.as_deref().unwrap_or_default().as_bytes());
    // A token with extra scopes is none for a grant that narrows.
    part(if asked.restriction.scopes.is_empty() { b"" } else { b"narrowed" });
    for list in [scopes, resources.as_slice()] {
        part(&(list.len() as u64).to_be_bytes());
        list.iter().for_each(|entry| part(entry.as_bytes()));
    }
    (owner(asked.actor, asked.handle), digest.finalize().into())
}
