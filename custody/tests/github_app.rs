//! The GitHub App backend against a server that checks what GitHub checks: real TLS, the real sealed
//! store.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::github::GitHub;
use common::now;
use common::peer::Peer;
use common::shelf::{Shelf, actor, handle, shelf};
use common::stores::{Store, on_both_stores};
use custody_backends::github_app::{App, GitHubApp, Installation, InstallationSource, TokenForm};
use custody_backends::sealed::SealedBackend;
use custody_backends::{
    BackendFault, CredentialBackend, CredentialRequest, MintingStores, Restriction,
};
use custody_base::credential::{Credential, Resolved, Shape};
use custody_base::outbound::{Endpoint, Reach};
use custody_ledger::{Revocation, Target};
use futures_util::future::join_all;
use lease::Secret;
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::sync::Arc;
use std::time::Duration;

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    tokens_end_on_every_replica_with_their_key_or_a_revocation_that_is_taken_back,
}

struct House {
    github: GitHub,
    source: InstallationSource,
    pem: String,
    peer: Peer,
    shelf: Shelf,
}

impl House {
    async fn new(installation: u64) -> Self {
        // What is under test here asks the store for one value, whichever it is.
        Self::on(Store::Sqlite, installation).await
    }

    async fn on(store: Store, installation: u64) -> Self {
        let (github, peer, pem) = GitHub::start().await;
        let shelf = shelf(store, &[("gh-app-key", pem.as_str())]).await;
        let source = replica(&peer, &shelf, installation);
        Self { github, source, pem, peer, shelf }
    }

    async fn put(&self, pem: &str) {
        let pem = Shape::Opaque.with(Secret::new(pem)).unwrap();
        self.shelf.store.put(&actor(), &handle("gh-app-key"), &pem).await.unwrap();
    }

    async fn ask(&self, restriction: &Restriction) -> Result<Resolved, BackendFault> {
        ask(&self.source, restriction).await
    }

    fn requests(&self) -> Vec<Value> {
        self.github.requests()
    }
}

/// A custody of its own: nothing is shared but the store and the ledger.
fn replica(peer: &Peer, shelf: &Shelf, installation: u64) -> InstallationSource {
    let secrets = Arc::new(SealedBackend(shelf.store.clone()));
    let reach = Reach { ca: Some(peer.ca()), ..Reach::default() };
    let api = Endpoint::parse(&format!("{}/api/v3", peer.url())).unwrap();
    let app = App { id: "123".into(), private_key: (actor(), handle("gh-app-key")) };
    let outbound = reach.client().unwrap();
    let (ledger, audit) = (shelf.ledger.clone(), shelf.audit.clone());
    let stores = MintingStores { secrets, ledger, audit };
    let app = GitHubApp::new("gh".into(), outbound, api, app, stores);
    InstallationSource::new(app, Installation { id: installation, form: TokenForm::Bearer })
}

async fn ask(
    source: &InstallationSource,
    restriction: &Restriction,
) -> Result<Resolved, BackendFault> {
    let (actor, handle) = (actor(), handle("github-ci"));
    let asked = CredentialRequest::of(&actor, &handle, restriction, now() + 300);
    assert!(source.is_capable(&asked));
    source.resolve(&asked).await
}

fn token(resolved: &Resolved) -> String {
    let Credential::Bearer { token } = &resolved.credential else { panic!("not a bearer token") };
    String::from_utf8(token.expose().to_vec()).unwrap()
}

fn restriction(repositories: &[&str], level: &str) -> Restriction {
    Restriction {
        repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
        permissions: [("contents".to_owned(), level.to_owned())].into(),
        ..Restriction::default()
    }
}

#[tokio::test]
async fn a_token_is_narrowed_and_kept_by_its_narrowing() {
    let house = House::new(42).await;
    let one = restriction(&["x", "y"], "read");
    let all = join_all((0..100).map(|_| house.ask(&one))).await;
    assert!(all.iter().all(|asked| token(asked.as_ref().ok().unwrap()) == "ghs_1"));
    let body = json!({"repositories": ["x", "y"], "permissions": {"contents": "read"}});
    assert_eq!(house.requests(), [body]);
    let resolved = house.ask(&restriction(&["y", "x"], "read")).await.ok().unwrap();
    assert_eq!(token(&resolved), "ghs_1", "the order of a grant does not count");
    assert_eq!(resolved.scope, ["contents:read", "metadata:read"]);
    let left = resolved.expires_at.unwrap() - now();
    assert!((3590..=3600).contains(&left), "{left}");
    assert_eq!(resolved.revocation, None);
    for other in
        [restriction(&["x"], "read"), restriction(&["x", "y"], "write"), Restriction::default()]
    {
        assert!(house.ask(&other).await.is_ok());
    }
    assert_eq!(house.requests().len(), 4);
    assert_eq!(house.requests()[3], json!({}));
}

#[tokio::test]
async fn more_than_was_asked_for_is_not_used() {
    for change in [
        json!({"permissions": {"contents": "write"}}),
        json!({"permissions": {"contents": "read", "issues": "read"}}),
        json!({"repository_selection": "all"}),
        json!({"repositories": [{"name": "x"}, {"name": "z"}]}),
        json!({"expires_at": "2020-01-01T00:00:00Z"}),
    ] {
        let house = House::new(42).await;
        house.github.changes(change.clone());
        let fault = house.ask(&restriction(&["x"], "read")).await.err().unwrap();
        assert_eq!(fault.code(), "credential_unfit", "{change}: {fault}");
    }
}

#[tokio::test]
async fn what_github_refuses_is_told_by_its_status_alone() {
    let house = House::new(43).await;
    let fault = house.ask(&Restriction::default()).await.err().unwrap();
    assert!(fault.to_string().contains("is this an installation of the app?"), "{fault}");
    for (status, code) in [(401, "backend_denied"), (422, "backend_denied"), (502, "backend_down")]
    {
        let house = House::new(42).await;
        house.github.refuses(Some(status));
        let fault = house.ask(&Restriction::default()).await.err().unwrap();
        assert_eq!(fault.code(), code, "{fault}");
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
}

#[tokio::test]
async fn without_the_right_key_github_is_not_asked_or_says_no() {
    let house = House::new(42).await;
    house.put("canary, no key").await;
    let fault = house.ask(&Restriction::default()).await.err().unwrap();
    assert_eq!(fault.code(), "credential_unreadable");
    assert!(!fault.to_string().contains("canary") && house.requests().is_empty());
    let other = SigningKey::generate(Algorithm::Rs256, None).unwrap().to_pem().unwrap();
    house.put(&other).await;
    let fault = house.ask(&restriction(&["x"], "read")).await.err().unwrap();
    assert_eq!(fault.code(), "backend_denied");
    let scoped = Restriction { scopes: vec!["repo".into()], ..Restriction::default() };
    assert!(matches!(house.ask(&scoped).await, Err(BackendFault::Denied(_))));
    assert_eq!(house.requests().len(), 1);
}

async fn tokens_end_on_every_replica_with_their_key_or_a_revocation_that_is_taken_back(
    store: Store,
) {
    let house = House::on(store, 42).await;
    let other = replica(&house.peer, &house.shelf, 42);
    let replicas = [&house.source, &other];
    let restriction = Restriction::default();
    let mut leased: Vec<String> = Vec::new();
    let key = handle("gh-app-key");
    for change in ["nothing", "replace", "delete", "wipe", "revoke handle", "revoke actor"] {
        let target = match change {
            "revoke handle" => Target::Handle(handle("github-ci")),
            _ => Target::Actor(actor()),
        };
        match change {
            "nothing" => {}
            "replace" => house.put(&house.pem).await,
            "delete" => assert!(house.shelf.store.delete(&actor(), &key).await.unwrap()),
            "wipe" => assert_eq!(house.shelf.store.wipe(&actor()).await.unwrap(), 1),
            _ => {
                let by = "operator".to_owned();
                let revocation = Revocation { target: target.clone(), at: now(), until: None, by };
                house.shelf.ledger.revoke(&revocation).await.unwrap();
                assert!(house.shelf.ledger.restore(&target, now()).await.unwrap());
            }
        }
        if matches!(change, "delete" | "wipe") {
            for source in replicas {
                assert_eq!(ask(source, &restriction).await.err(), Some(BackendFault::Absent));
            }
            house.put(&house.pem).await;
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        let ended = leased.len();
        for source in replicas {
            let fresh = token(&ask(source, &restriction).await.ok().unwrap());
            assert!(!leased.contains(&fresh), "{change}: {fresh} was leased again");
            assert_eq!(token(&ask(source, &restriction).await.ok().unwrap()), fresh, "it is kept");
            leased.push(fresh);
        }
        let begun = std::time::Instant::now();
        while !leased[..ended].iter().all(|token| house.github.revoked().contains(token)) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{change}: not revoked at GitHub");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
