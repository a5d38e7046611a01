//! The OAuth 2 backend against an authorization server that checks what it is asked: real TLS, the
//! real sealed store, the locks of the real ledger.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;
#[path = "oauth/ended.rs"]
mod ended;
#[path = "oauth/lost.rs"]
mod lost;
#[path = "oauth/servers.rs"]
mod servers;

use async_trait::async_trait;
use axum::Router;
use axum::http::StatusCode;
use common::authority::{Authority, CLIENT, CLIENT_SECRET, Trouble};
use common::now;
use common::peer::Peer;
use common::shelf::{Shelf, actor, handle, shelf};
use common::stores::{Store, on_both_stores};
use custody_backends::oauth::{
    AuthorizationServer, BasicEncoding, Client, ClientAuth, Endpoints, Grant, OAuthSource,
    TokenRequest,
};
use custody_backends::sealed::SealedBackend;
use custody_backends::{
    BackendFault, CredentialBackend, CredentialRequest, LongLived, MintingStores, Restriction,
    StoredSecret,
};
use custody_base::actor::Actor;
use custody_base::credential::{Credential, Resolved, Shape};
use custody_base::outbound::{Endpoint, Reach};
use futures_util::future::join_all;
use lease::{Handle, Secret};
use serde_json::json;
use session::mint::SigningKey;
use session::{Algorithm, KeySet, Rules, Verifier};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

// Tokens are kept in memory, but for those that rotate.
on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    a_rotated_refresh_token_is_stored_before_the_access_token_is_used,
    two_replicas_never_spend_one_refresh_token_twice,
    a_rotation_that_cannot_be_stored_releases_nothing_and_is_not_lost,
    a_refresh_token_that_somebody_put_in_between_is_the_one_that_counts,
}

const REFRESH: &str = "refresh-0";

/// A custody's own things, and an authorization server to talk to.
struct House {
    authority: Authority,
    peer: Peer,
    secrets: Arc<Flaky>,
    shelf: Shelf,
    /// Of tokens whose answer has no life.
    lifetime: Option<u64>,
}

/// The sealed store, and how many of the next writes fail.
struct Flaky {
    store: SealedBackend,
    failures: AtomicUsize,
}

#[async_trait]
impl LongLived for Flaky {
    async fn read(&self, actor: &Actor, handle: &Handle) -> Result<StoredSecret, BackendFault> {
        self.store.read(actor, handle).await
    }

    async fn origin(&self, actor: &Actor, handle: &Handle) -> Result<Option<u64>, BackendFault> {
        self.store.origin(actor, handle).await
    }

    async fn replace(
        &self,
        actor: &Actor,
        handle: &Handle,
        version: u64,
        secret: &Secret,
    ) -> Result<bool, BackendFault> {
        let less = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            return Err(BackendFault::Down("disk full".into()));
        }
        self.store.replace(actor, handle, version, secret).await
    }
}

fn basic() -> ClientAuth {
    basic_of("corp-client", BasicEncoding::Form)
}

fn basic_of(secret: &str, encoding: BasicEncoding) -> ClientAuth {
    ClientAuth::Basic { actor: actor(), secret: handle(secret), encoding }
}

fn client_credentials() -> TokenRequest {
    TokenRequest {
        grant: Grant::ClientCredentials,
        scopes: Vec::new(),
        resources: Vec::new(),
        audience: None,
    }
}

fn refreshes() -> TokenRequest {
    let grant = Grant::RefreshToken { handle: handle("corp-refresh") };
    TokenRequest { grant, ..client_credentials() }
}

fn exchanges() -> TokenRequest {
    TokenRequest { grant: Grant::TokenExchange, ..client_credentials() }
}

fn restriction(scopes: &[&str]) -> Restriction {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    Restriction { scopes, ..Restriction::default() }
}

async fn ask_for(
    source: &OAuthSource,
    restriction: &Restriction,
    session: Option<&Secret>,
) -> Result<Resolved, BackendFault> {
    let (actor, handle) = (actor(), handle("corp-api"));
    let asked = CredentialRequest {
        session,
        ..CredentialRequest::of(&actor, &handle, restriction, now() + 300)
    };
    assert!(source.is_capable(&asked));
    source.resolve(&asked).await
}

async fn ask(source: &OAuthSource) -> Result<Resolved, BackendFault> {
    ask_for(source, &Restriction::default(), None).await
}

fn token(resolved: &Resolved) -> String {
    let Credential::Bearer { token } = &resolved.credential else { panic!("not a bearer token") };
    String::from_utf8(token.expose().to_vec()).unwrap()
}

impl House {
    async fn new(store: Store) -> Self {
        let (authority, peer) = Authority::start().await;
        let own = [("corp-client", CLIENT_SECRET), ("corp-refresh", REFRESH)];
        let shelf = shelf(store, &own).await;
        let store = SealedBackend(shelf.store.clone());
        let secrets = Arc::new(Flaky { store, failures: AtomicUsize::new(0) });
        authority.inner().refresh = Some(REFRESH.into());
        Self { authority, peer, secrets, shelf, lifetime: None }
    }

    /// A custody of its own: nothing is shared but the store and the ledger.
    fn replica(&self, auth: ClientAuth) -> Arc<AuthorizationServer> {
        let endpoints = Endpoints::discovered(&self.peer.url()).unwrap();
        self.replica_at(endpoints, auth)
    }

    fn replica_at(&self, endpoints: Endpoints, auth: ClientAuth) -> Arc<AuthorizationServer> {
        let total = Duration::from_secs(2);
        let reach = Reach { ca: Some(self.peer.ca()), total, ..Reach::default() };
        let id = if auth == ClientAuth::None { "public" } else { CLIENT };
        let stores = MintingStores {
            secrets: self.secrets.clone(),
            ledger: self.shelf.ledger.clone(),
            audit: self.shelf.audit.clone(),
        };
        let client = Client { id: id.into(), auth };
        let (name, outbound) = ("corp".into(), reach.client().unwrap());
        AuthorizationServer::new(name, outbound, endpoints, client, self.lifetime, stores)
    }

    fn source(&self, request: TokenRequest) -> OAuthSource {
        OAuthSource::new(self.replica(basic()), request)
    }

    async fn stored(&self) -> String {
        let secret = self.secrets.read(&actor(), &handle("corp-refresh")).await.ok().unwrap();
        String::from_utf8(secret.secret.expose().to_vec()).unwrap()
    }

    /// As an operator does.
    async fn put(&self, name: &str, secret: &str) {
        let secret = Shape::Opaque.with(Secret::new(secret)).unwrap();
        self.shelf.store.put(&actor(), &handle(name), &secret).await.unwrap();
    }

    /// The server's answer with this change, to an asker that never asked before.
    async fn answer(&self, change: serde_json::Value) -> Result<Resolved, BackendFault> {
        self.authority.inner().change = change;
        let scopes = vec!["read".to_owned()];
        ask(&self.source(TokenRequest { scopes, ..client_credentials() })).await
    }
}

#[tokio::test]
async fn client_credentials_by_every_way_to_authenticate() {
    let house = House::new(Store::Sqlite).await;
    let key = SigningKey::generate(Algorithm::Rs256, Some("k")).unwrap();
    let keys = KeySet::from_jwks(&key.public_jwks()).unwrap();
    house.authority.inner().client_keys =
        Some(Verifier::new(Rules::new(CLIENT, house.peer.url()), keys));
    let pem = Secret::new(key.to_pem().unwrap().as_bytes());
    let pem = Shape::Opaque.with(pem).unwrap();
    let (actor, key) = (actor(), handle("corp-client"));
    for auth in [basic(), ClientAuth::Post { actor: actor.clone(), secret: key.clone() }] {
        let source = OAuthSource::new(house.replica(auth), client_credentials());
        let resolved = ask(&source).await.ok().unwrap();
        assert!(token(&resolved).starts_with("access-client-"));
        let left = resolved.expires_at.unwrap() - now();
        assert!((3590..=3600).contains(&left), "{left}");
    }
    let public = OAuthSource::new(house.replica(ClientAuth::None), client_credentials());
    assert!(ask(&public).await.is_ok());
    house.shelf.store.put(&actor, &key, &pem).await.unwrap();
    let auth = ClientAuth::PrivateKey { actor, key, key_id: Some("k".into()) };
    let signing = OAuthSource::new(house.replica(auth), client_credentials());
    assert!(ask(&signing).await.is_ok(), "{:?}", house.authority.last());
    assert_eq!(house.authority.last().get("client_secret"), None);
}

#[tokio::test]
async fn a_wrong_secret_is_denied_and_nothing_of_it_told() {
    let house = House::new(Store::Sqlite).await;
    house.put("corp-client", "canary-1").await;
    let fault = ask(&house.source(client_credentials())).await.err().unwrap();
    assert_eq!(fault.to_string(), "the backend refuses: invalid_client (status 401)");
    let auth = basic_of("nowhere", BasicEncoding::Form);
    let source = OAuthSource::new(house.replica(auth), client_credentials());
    assert_eq!(ask(&source).await.err(), Some(BackendFault::Absent));
}

#[tokio::test]
async fn a_thousand_ask_and_the_server_is_asked_once() {
    let house = House::new(Store::Sqlite).await;
    house.authority.inner().trouble = Some(Trouble::IsSlow(Duration::from_millis(200)));
    let source = house.source(client_credentials());
    let all = join_all((0..1000).map(|_| ask(&source))).await;
    assert!(all.iter().all(|one| token(one.as_ref().ok().unwrap()) == "access-client-1"));
    assert_eq!((house.authority.asked(), house.authority.inner().metadata.asked), (1, 1));
}

#[tokio::test]
async fn scopes_never_grow_and_every_narrowing_has_its_own_token() {
    let house = House::new(Store::Sqlite).await;
    let scopes = vec!["read".to_owned(), "write".to_owned()];
    let resources = vec!["https://api.example/a".to_owned()];
    let audience = Some("api".to_owned());
    let request = TokenRequest { scopes, resources, audience, ..client_credentials() };
    let source = house.source(request);
    let all = ask(&source).await.ok().unwrap();
    let last = house.authority.last();
    assert_eq!(last["scope"], "read write");
    assert_eq!((&*last["resource"], &*last["audience"]), ("https://api.example/a", "api"));
    assert_eq!(all.target.as_deref(), Some("https://api.example/a"));
    let less = ask_for(&source, &restriction(&["read"]), None).await.ok().unwrap();
    assert_eq!(house.authority.last()["scope"], "read");
    assert_ne!(token(&all), token(&less));
    assert_eq!(less.scope, ["read"]);
    let again = ask_for(&source, &restriction(&["read"]), None).await.ok().unwrap();
    assert_eq!((token(&again), house.authority.asked()), (token(&less), 2));
    // More than the credential has, or what OAuth cannot narrow: the server is not even asked.
    for restriction in [
        restriction(&["read", "admin"]),
        Restriction { repositories: vec!["x".into()], ..Restriction::default() },
    ] {
        let fault = ask_for(&source, &restriction, None).await.err().unwrap();
        assert!(matches!(fault, BackendFault::Denied(_)), "{fault}");
    }
    assert_eq!(house.authority.asked(), 2);
}

#[tokio::test]
async fn metadata_is_found_where_the_rfcs_put_it_and_believed_of_its_issuer_only() {
    let house = House::new(Store::Sqlite).await;
    house.authority.inner().metadata.oauth = false;
    assert!(ask(&house.source(client_credentials())).await.is_ok());
    house.authority.inner().metadata.openid = false;
    let fault = ask(&house.source(client_credentials())).await.err().unwrap();
    assert!(matches!(fault, BackendFault::Down(_)), "{fault}");

    house.authority.inner().metadata.oauth = true;
    let asked = house.authority.asked();
    let other = format!("{}/", house.peer.url());
    let plain = "http://token.example/token".to_owned();
    for (issuer, token_endpoint) in [(Some(other), None), (None, Some(plain))] {
        house.authority.says(issuer, token_endpoint);
        let fault = ask(&house.source(client_credentials())).await.err().unwrap();
        assert!(matches!(fault, BackendFault::Unfit(_)), "{fault}");
    }
    assert_eq!(house.authority.asked(), asked);
}

async fn a_rotated_refresh_token_is_stored_before_the_access_token_is_used(store: Store) {
    let house = House::new(store).await;
    let source = house.source(refreshes());
    for round in 1..=5 {
        let restriction = restriction(&[&format!("scope-{round}")]);
        let resolved = ask_for(&source, &restriction, None).await.ok().unwrap();
        assert_eq!(token(&resolved), format!("access-user-{round}"));
        assert_eq!(Some(house.stored().await), house.authority.inner().refresh.clone());
    }
    assert_eq!(house.authority.inner().reused, 0);
    // Its type is what it was.
    let stored = house.secrets.store.0.resolve(&actor(), &handle("corp-refresh")).await;
    assert_eq!(stored.ok().unwrap().shape(), Shape::Opaque);
}

async fn two_replicas_never_spend_one_refresh_token_twice(store: Store) {
    let house = House::new(store).await;
    let replicas = [house.source(refreshes()), house.source(refreshes())];
    let narrows: Vec<_> = (0..10).map(|at| restriction(&[&format!("scope-{at}")])).collect();
    let asks = replicas.iter().flat_map(|source| narrows.iter().map(move |n| (source, n)));
    let all = join_all(asks.map(|(source, restriction)| ask_for(source, restriction, None))).await;
    assert!(all.iter().all(Result::is_ok), "{:?}", all.iter().find_map(|one| one.as_ref().err()));
    assert_eq!((house.authority.asked(), house.authority.inner().reused), (20, 0));
    assert_eq!(Some(house.stored().await), house.authority.inner().refresh.clone());
}

async fn a_rotation_that_cannot_be_stored_releases_nothing_and_is_not_lost(store: Store) {
    let house = House::new(store).await;
    let source = house.source(refreshes());
    house.secrets.failures.store(3, Ordering::SeqCst);
    let fault = ask(&source).await.err().unwrap();
    assert_eq!(fault.code(), "refresh_token_not_stored", "{fault}");
    assert_eq!((house.stored().await, house.authority.asked()), (REFRESH.to_owned(), 1));
    // Still not: then nothing is spent either.
    house.secrets.failures.store(3, Ordering::SeqCst);
    assert!(ask_for(&source, &restriction(&["a"]), None).await.is_err());
    assert_eq!(house.authority.asked(), 1);
    // The store is back: what it is owed comes first, and the server sees no thief.
    let resolved = ask_for(&source, &restriction(&["b"]), None).await.ok().unwrap();
    assert_eq!(token(&resolved), "access-user-2");
    assert_eq!(house.authority.inner().reused, 0);
    assert_eq!(Some(house.stored().await), house.authority.inner().refresh.clone());
}

async fn a_refresh_token_that_somebody_put_in_between_is_the_one_that_counts(store: Store) {
    let house = House::new(store).await;
    let source = house.source(refreshes());
    house.secrets.failures.store(3, Ordering::SeqCst);
    assert!(ask(&source).await.is_err());
    let consent = "refresh-of-a-new-consent";
    house.authority.inner().refresh = Some(consent.into());
    house.put("corp-refresh", consent).await;
    assert!(ask_for(&source, &restriction(&["a"]), None).await.is_ok());
    assert_eq!((house.authority.asked(), house.authority.inner().reused), (2, 0));
}

#[tokio::test]
async fn sessions_are_exchanged_each_for_a_token_of_its_own() {
    let house = House::new(Store::Sqlite).await;
    let key = SigningKey::generate(Algorithm::EdDsa, Some("k1")).unwrap();
    let keys = KeySet::from_jwks(&key.public_jwks()).unwrap();
    house.authority.inner().session_keys = Some(Verifier::new(Rules::new("i", "a"), keys));
    let source = house.source(exchanges());
    let session = |jti: &str| {
        let claims = json!({"iss": "i", "aud": "a", "sub": "s", "jti": jti, "iat": now(),
            "exp": now() + 600});
        Secret::new(key.sign(&claims).unwrap())
    };
    let (one, other) = (session("one"), session("other"));
    let restriction = Restriction::default();
    for (session, wanted) in
        [(&one, "access-one-1"), (&other, "access-other-2"), (&one, "access-one-1")]
    {
        let resolved = ask_for(&source, &restriction, Some(session)).await.ok().unwrap();
        assert_eq!(token(&resolved), wanted);
    }
    let forged = ask_for(&source, &restriction, Some(&Secret::new("a.b.c"))).await.err().unwrap();
    assert_eq!(forged.to_string(), "the backend refuses: invalid_grant (status 400)");
    assert!(matches!(ask(&source).await, Err(BackendFault::Denied(_))));
}

#[tokio::test]
async fn what_a_server_should_not_answer_is_not_used() {
    let house = House::new(Store::Sqlite).await;
    for change in [
        json!({"scope": 7}),
        json!({"token_type": "mac"}),
        json!({"token_type": null}),
        json!({"expires_in": 0}),
        json!({"expires_in": -5}),
        json!({"access_token": "a b"}),
        json!({"access_token": null}),
    ] {
        let fault = house.answer(change.clone()).await.err().unwrap();
        let (text, code) = (fault.to_string(), fault.code());
        assert!(matches!(code, "credential_unfit" | "backend_down"), "{change}: {text}");
        assert!(!text.contains("access-"), "{text}");
    }
    assert!(house.answer(json!({"scope": "read"})).await.is_ok());
    // The lease is no longer than the token, and a token of unknown life is as long as the lease.
    let short = house.answer(json!({"expires_in": 5})).await.ok().unwrap();
    assert!(short.expires_at.unwrap() <= now() + 5);
    let unknown = house.answer(json!({"expires_in": null})).await.ok().unwrap();
    assert!((now() + 290..=now() + 300).contains(&unknown.expires_at.unwrap()));
}

#[tokio::test]
async fn a_server_in_trouble() {
    let house = House::new(Store::Sqlite).await;
    let elsewhere = Arc::new(AtomicUsize::new(0));
    let hits = Arc::clone(&elsewhere);
    let fallback = move || {
        hits.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::OK }
    };
    let other = Peer::start(Router::new().fallback(fallback)).await;
    let canary = |code: &str| json!({"error": code, "error_description": "canary"}).to_string();
    let answers =
        |status: u16, body: String| Trouble::Answers(StatusCode::from_u16(status).unwrap(), body);
    for (trouble, code) in [
        (Trouble::IsSlow(Duration::from_secs(20)), "backend_down"),
        (Trouble::RedirectsTo(format!("{}/token", other.url())), "backend_down"),
        (answers(200, "canary".into()), "backend_down"),
        (answers(200, "x".repeat(2 << 20)), "backend_down"),
        (answers(503, canary("server_error")), "backend_down"),
        (answers(400, canary("invalid_grant")), "backend_denied"),
        (answers(400, canary("canary")), "backend_denied"),
    ] {
        house.authority.inner().trouble = Some(trouble);
        let fault = ask(&house.source(client_credentials())).await.err().unwrap();
        assert_eq!(fault.code(), code, "{fault}");
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
    assert_eq!(elsewhere.load(Ordering::SeqCst), 0);
    // Nothing of it is remembered for longer than the pause.
    let source = house.source(client_credentials());
    assert!(ask(&source).await.is_err());
    house.authority.inner().trouble = None;
    let begun = std::time::Instant::now();
    while ask(&source).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "an error that stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_configured_endpoint_needs_no_metadata() {
    let house = House::new(Store::Sqlite).await;
    let token_endpoint = Endpoint::parse(&format!("{}/token", house.peer.url())).unwrap();
    let server = house.replica_at(Endpoints::configured(token_endpoint, None), basic());
    assert!(ask(&OAuthSource::new(server, client_credentials())).await.is_ok());
    assert_eq!(house.authority.inner().metadata.asked, 0);
}
