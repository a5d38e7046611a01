//! The OAuth 2 backend against an authorization server that this project did not write: the Node package
//! `oidc-provider`, over real TLS.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::now;
use common::shelf::{Shelf, actor, handle, shelf};
use common::stores::{Store, on_both_stores};
use custody_backends::oauth::{
    AuthorizationServer, BasicEncoding, Client, ClientAuth, Endpoints, Grant, OAuthSource,
    TokenRequest,
};
use custody_backends::sealed::SealedBackend;
use custody_backends::{
    BackendFault, CredentialBackend, CredentialRequest, LongLived, MintingStores, Restriction,
};
use custody_base::credential::{Credential, Resolved, Shape};
use custody_base::outbound::Reach;
use lease::Secret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use stack::oidc_provider::OidcProvider;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    a_real_server_rotates_refresh_tokens_and_custody_stores_each,
}

/// Every character of both means something in a form or in Basic credentials.
const CLIENT: &str = "leasehold client/1";
const CLIENT_SECRET: &str = "s:e&c=r%e+t and-thirty-two-more-bytes";
const SIGNING_CLIENT: &str = "leasehold-by-key";

/// The provider, and a custody's own things. Dropping it ends the provider.
struct Scene {
    provider: Child,
    issuer: String,
    folder: tempfile::TempDir,
    shelf: Shelf,
}

impl Scene {
    async fn new(store: Store) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate(Algorithm::Rs256, Some("k1")).unwrap();
        let ca = {
            let mut ca = CertificateParams::default();
            ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap()
        };
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let tls = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&tls, &ca).unwrap();
        let web = json!({"redirect_uris": ["https://app.example/cb"], "response_types": ["code"],
            "grant_types": ["client_credentials", "refresh_token", "authorization_code"],
            "scope": "openid offline_access read write"});
        let mut secret = web.clone();
        (secret["client_id"], secret["client_secret"]) = (CLIENT.into(), CLIENT_SECRET.into());
        let mut signing = web;
        signing["client_id"] = SIGNING_CLIENT.into();
        signing["token_endpoint_auth_method"] = "private_key_jwt".into();
        signing["jwks"] = key.public_jwks();
        let config = json!({"key": tls.serialize_pem(), "certificate": leaf.pem(),
            "clients": [secret, signing]});
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let (provider, told) = start(&folder.path().join("config.json"));
        let refresh = told["refresh"][CLIENT].as_str().unwrap();
        let pem = key.to_pem().unwrap();
        let secrets = [("secret", CLIENT_SECRET), ("key", pem.as_str()), ("refresh", refresh)];
        let shelf = shelf(store, &secrets).await;
        let issuer = format!("https://localhost:{}", told["port"]);
        Self { provider, issuer, folder, shelf }
    }

    fn source(&self, client: Client, request: TokenRequest) -> OAuthSource {
        let reach = Reach { ca: Some(self.folder.path().join("ca.pem")), ..Reach::default() };
        let stores = MintingStores {
            secrets: Arc::new(SealedBackend(self.shelf.store.clone())),
            ledger: self.shelf.ledger.clone(),
            audit: self.shelf.audit.clone(),
        };
        let endpoints = Endpoints::discovered(&self.issuer).unwrap();
        let outbound = reach.client().unwrap();
        let server =
            AuthorizationServer::new("oidc".into(), outbound, endpoints, client, None, stores);
        OAuthSource::new(server, request)
    }

    async fn put(&self, name: &str, secret: &str) {
        let secret = Shape::Opaque.with(Secret::new(secret)).unwrap();
        self.shelf.store.put(&actor(), &handle(name), &secret).await.unwrap();
    }

    async fn stored(&self) -> String {
        let store = SealedBackend(self.shelf.store.clone());
        let stored = store.read(&actor(), &handle("refresh")).await.ok().unwrap();
        String::from_utf8(stored.secret.expose().to_vec()).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.provider.kill();
        let _ = self.provider.wait();
    }
}

/// The provider, and what it said when it listened.
fn start(config: &std::path::Path) -> (Child, Value) {
    let OidcProvider { node, modules } = OidcProvider::fetch(&|_| {}).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oidc_provider/server.mjs");
    let mut node = Command::new(node);
    node.arg(script).arg(modules).arg(config).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut provider = node.spawn().unwrap();
    let lines = BufReader::new(provider.stdout.take().unwrap()).lines();
    let told = lines.map_while(Result::ok).find(|line| line.starts_with('{'));
    (provider, serde_json::from_str(&told.expect("the provider ended")).unwrap())
}

fn by_secret(secret: &str) -> Client {
    let secret = handle(secret);
    let auth = ClientAuth::Basic { actor: actor(), secret, encoding: BasicEncoding::Form };
    Client { id: CLIENT.into(), auth }
}

fn by_key() -> Client {
    let key_id = Some("k1".to_owned());
    let auth = ClientAuth::PrivateKey { actor: actor(), key: handle("key"), key_id };
    Client { id: SIGNING_CLIENT.into(), auth }
}

fn asks(grant: Grant, scopes: &[&str]) -> TokenRequest {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    TokenRequest { grant, scopes, resources: Vec::new(), audience: None }
}

async fn ask(source: &OAuthSource) -> Result<Resolved, BackendFault> {
    let (actor, handle, restriction) = (actor(), handle("corp-api"), Restriction::default());
    source.resolve(&CredentialRequest::of(&actor, &handle, &restriction, now() + 300)).await
}

fn token(resolved: &Resolved) -> String {
    let Credential::Bearer { token } = &resolved.credential else { panic!("not a bearer token") };
    String::from_utf8(token.expose().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_takes_both_ways_to_authenticate() {
    let scene = Scene::new(Store::Sqlite).await;
    let mut tokens = Vec::new();
    for client in [by_secret("secret"), by_key()] {
        let id = client.id.clone();
        let source = scene.source(client, asks(Grant::ClientCredentials, &["read"]));
        let resolved = ask(&source).await.unwrap_or_else(|fault| panic!("{id}: {fault}"));
        assert_eq!(resolved.scope, ["read"]);
        // The provider's default.
        let left = resolved.expires_at.unwrap() - now();
        assert!((590..=600).contains(&left), "{left}");
        tokens.push(token(&resolved));
    }
    assert_ne!(tokens[0], tokens[1]);
    scene.put("wrong", "not the secret").await;
    let source = scene.source(by_secret("wrong"), asks(Grant::ClientCredentials, &["read"]));
    let fault = ask(&source).await.err().unwrap();
    assert_eq!(fault.to_string(), "the backend refuses: invalid_client (status 401)");
}

async fn a_real_server_rotates_refresh_tokens_and_custody_stores_each(store: Store) {
    let scene = Scene::new(store).await;
    let refreshes = || {
        let grant = Grant::RefreshToken { handle: handle("refresh") };
        scene.source(by_secret("secret"), asks(grant, &[]))
    };
    let (mut stored, mut tokens) = (vec![scene.stored().await], Vec::new());
    for _ in 0..3 {
        // A replica that has no token yet.
        let resolved = ask(&refreshes()).await.unwrap_or_else(|fault| panic!("{fault}"));
        tokens.push(token(&resolved));
        stored.push(scene.stored().await);
    }
    for all in [&mut stored, &mut tokens] {
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "one came twice");
    }
    // One that was spent ends the grant, as RFC 9700 wants it: the server says so, and custody too.
    let last = scene.stored().await;
    let spent = stored.iter().find(|token| **token != last).unwrap();
    scene.put("refresh", spent).await;
    let fault = ask(&refreshes()).await.err().unwrap();
    assert_eq!(fault.code(), "backend_denied", "{fault}");
    assert!(fault.to_string().contains("invalid_grant (status 400)"), "{fault}");
}
