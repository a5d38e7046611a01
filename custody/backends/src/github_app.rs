//! GitHub Apps: installation access tokens, narrowed to the repositories and permissions of a grant.
//!
//! The app's private key signs a JWT of at most ten minutes; with it GitHub mints a token that is good
//! for an hour, for the repositories and permissions that were asked for and no others. Custody
//! compares its answer with the request: minted is a subset of requested is a subset of granted.
//!
//! Tokens are not revoked with a lease: one token serves every lease of the same handle and narrowing,
//! and to revoke it with one of them would end the others. A token ends with the app's key, and with
//! a revocation of its handle or actor (`live_tokens`); GitHub is then asked to revoke it.

mod answer;

use super::live_tokens::{self, Changes, Issuer, LiveTokens};
use super::tokens::{Token, TokenKey, owner};
use super::{
    BackendFault, CredentialBackend, CredentialRequest, LongLived, MintingStores, Restriction,
    rs256,
};
use answer::Minted;
use async_trait::async_trait;
use custody_base::actor::Actor;
use custody_base::clock;
use custody_base::credential::SecretOrigin;
use custody_base::credential::{Credential, CredentialType, Resolved};
use custody_base::outbound::{Call, CallFault, Endpoint, Method, Outbound};
use lease::{Handle, Secret, UnixSeconds};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

/// The version of the REST API that this is written against.
const API_VERSION: &str = "2022-11-28";
/// How far back the app's JWT begins, for clocks that differ, and how long it is good from then:
/// GitHub takes at most ten minutes ahead. Seconds.
const JWT_BACKDATED: u64 = 60;
const JWT_LIFE: u64 = 600;

/// The user name beside an installation token.
const GIT_USER: &str = "x-access-token";

/// An app, and where its GitHub is.
pub struct GitHubApp {
    name: String,
    outbound: Outbound,
    api: Endpoint,
    /// The app's id, or its client id; GitHub takes either as the issuer.
    app_id: String,
    /// PEM, in the sealed store.
    private_key: (Actor, Handle),
    secrets: Arc<dyn LongLived>,
    tokens: LiveTokens,
}

/// Custody's identity at GitHub.
pub struct App {
    pub id: String,
    /// PEM, in the sealed store.
    pub private_key: (Actor, Handle),
}

/// One installation of an app, and how its token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installation {
    pub id: u64,
    pub form: TokenForm,
}

/// How a token is written into a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenForm {
    /// For the API.
    #[default]
    Bearer,
    /// As the password of [`GIT_USER`], for git over HTTPS, which answers a bearer token with 401.
    Basic,
}

/// The credential of an installation.
pub struct InstallationSource {
    app: Arc<GitHubApp>,
    installation: Installation,
}

/// One request on its way: its own copy of everything, because it outlives who asked.
struct MintRequest {
    installation: u64,
    restriction: Restriction,
}

/// The body of the request. An empty list would be refused by GitHub; one that is left out means all.
#[derive(Serialize)]
struct Wanted<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    repositories: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    permissions: &'a BTreeMap<String, String>,
}

// === impl GitHubApp ===

impl GitHubApp {
    /// `name`: as the configuration calls it, `backends.NAME`.
    pub fn new(
        name: String,
        outbound: Outbound,
        api: Endpoint,
        app: App,
        stores: MintingStores,
    ) -> Arc<Self> {
        let MintingStores { secrets, ledger, audit } = stores;
        let changes: Changes = ledger;
        let App { id: app_id, private_key } = app;
        Arc::new_cyclic(|me: &Weak<Self>| {
            let tokens = LiveTokens::new(Arc::clone(&secrets), changes, audit, me.clone());
            Self { name, outbound, api, app_id, private_key, secrets, tokens }
        })
    }

    /// A token of this installation, kept or new. Of a refusal custody reports only the status.
    async fn token(
        self: &Arc<Self>,
        installation: u64,
        asked: &CredentialRequest<'_>,
    ) -> Result<Arc<Token>, BackendFault> {
        if !asked.restriction.scopes.is_empty() {
            let what = "the grant narrows to scopes, which GitHub Apps have not";
            return Err(BackendFault::Denied(what.into()));
        }
        let key = key_of(installation, asked);
        self.tokens
            .get(key, clock::now(), || {
                let mint = MintRequest { installation, restriction: asked.restriction.clone() };
                Arc::clone(self).mint(mint)
            })
            .await
    }

    async fn mint(self: Arc<Self>, mint: MintRequest) -> Result<Token, BackendFault> {
        let now = clock::now();
        let (actor, handle) = &self.private_key;
        let stored = self.secrets.read(actor, handle).await?;
        let jwt = rs256::sign(&stored.secret, None, &app_claims(&self.app_id, now))?;
        let (actor, handle) = (actor.clone(), handle.clone());
        let minted_from = vec![SecretOrigin { actor, handle, origin: stored.origin }];
        drop(stored);
        let call = self.call(&mint, &jwt)?;
        let answer = self.outbound.send(call).await?;
        let Minted { secret, scope, expires_at } = answer::read(&answer, &mint.restriction, now)?;
        let ended = AtomicBool::default();
        Ok(Token { secret, scope, minted_at: now, expires_at, minted_from, ended })
    }

    fn call(&self, mint: &MintRequest, jwt: &Secret) -> Result<Call, CallFault> {
        let installation = mint.installation.to_string();
        let path = ["app", "installations", &installation, "access_tokens"];
        Call::post(&self.api.below(path))
            .header("accept", "application/vnd.github+json")?
            .header("x-github-api-version", API_VERSION)?
            .bearer(jwt)?
            .json(&Wanted::of(&mint.restriction))
    }
}

#[async_trait]
impl Issuer for GitHubApp {
    fn name(&self) -> &str {
        &self.name
    }

    /// `DELETE /installation/token`, which the token itself authorizes.
    async fn revoke(&self, token: &Secret) -> Result<bool, BackendFault> {
        let endpoint = self.api.below(["installation", "token"]);
        let call = Call::new(Method::DELETE, &endpoint)
            .header("accept", "application/vnd.github+json")
            .and_then(|call| call.header("x-github-api-version", API_VERSION))
            .and_then(|call| call.bearer(token));
        let answer = self.outbound.send(call?).await?;
        live_tokens::is_revoked(answer.status)
    }
}

// === impl InstallationSource ===

impl InstallationSource {
    pub fn new(app: Arc<GitHubApp>, installation: Installation) -> Self {
        Self { app, installation }
    }
}

#[async_trait]
impl CredentialBackend for InstallationSource {
    fn name(&self) -> &str {
        &self.app.name
    }

    fn is_capable(&self, asked: &CredentialRequest<'_>) -> bool {
        let own = match self.installation.form {
            TokenForm::Bearer => CredentialType::Bearer,
            TokenForm::Basic => CredentialType::Basic,
        };
        asked.kind.is_none_or(|kind| kind == own)
    }

    async fn resolve(&self, asked: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        let token = self.app.token(self.installation.id, asked).await?;
        let secret = token.secret.duplicate();
        Ok(Resolved {
            credential: match self.installation.form {
                TokenForm::Bearer => Credential::Bearer { token: secret },
                TokenForm::Basic => Credential::Basic { user: GIT_USER.into(), password: secret },
            },
            target: Some(self.app.api.host().to_owned()),
            scope: token.scope.clone(),
            expires_at: Some(token.expires_at),
            // One token serves many leases.
            revocation: None,
            made_from: token.minted_from.clone(),
        })
    }

    async fn revoke(&self, _: &str) {}

    fn forget(&self, actor: &Actor, handle: &Handle) {
        self.app.tokens.forget(&owner(actor, handle), clock::now());
    }

    async fn sweep(&self) -> Result<(), BackendFault> {
        self.app.tokens.sweep(clock::now()).await
    }
}

// === impl Wanted ===

impl<'a> Wanted<'a> {
    fn of(restriction: &'a Restriction) -> Self {
        Self { repositories: &restriction.repositories, permissions: &restriction.permissions }
    }
}

fn app_claims(app_id: &str, now: UnixSeconds) -> Value {
    let issued_at = now.saturating_sub(JWT_BACKDATED);
    json!({"iss": app_id, "iat": issued_at, "exp": issued_at + JWT_LIFE})
}

/// Everything a token depends on. JSON keeps the parts apart; the order of the grant does not count.
fn key_of(installation: u64, asked: &CredentialRequest<'_>) -> TokenKey {
    let Restriction { scopes: _, repositories, permissions } = asked.restriction;
    let mut repositories = repositories.clone();
    repositories.sort();
    let (handle, actor) = (asked.handle.as_str(), asked.actor.as_str());
    let parts = json!([handle, actor, installation, repositories, permissions]);
    (owner(asked.actor, asked.handle), Sha256::digest(parts.to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jwt_is_short() {
        let claims = app_claims("123", 1_000_000);
        assert_eq!(claims, json!({"iss": "123", "iat": 999_940, "exp": 1_000_540}));
    }

    #[test]
    fn what_is_asked() {
        let mut restriction = Restriction::default();
        let wanted =
            |restriction: &Restriction| serde_json::to_value(Wanted::of(restriction)).unwrap();
        assert_eq!(wanted(&restriction), json!({}));
        restriction.repositories = vec!["x".into()];
        restriction.permissions = [("contents".to_owned(), "read".to_owned())].into();
        let both = json!({"repositories": ["x"], "permissions": {"contents": "read"}});
        assert_eq!(wanted(&restriction), both);
    }
}
