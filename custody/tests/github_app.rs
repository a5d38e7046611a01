//! The GitHub App backend against a server that checks what GitHub checks: real TLS, the real sealed
//! store.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::github::GitHub;
use common::now;
use common::peer::Peer;
use common::shelf::{Shelf, actor, handle, shelf};
use common::stores::Store;
use custody::backend::github_app::{GitHubApp, InstallationSource};
use custody::backend::sealed::SealedBackend;
use custody::backend::{Asked, BackendFault, CredentialBackend, LongLived, Narrow};
use custody::credential::{Credential, Resolved};
use custody::outbound::{Endpoint, Reach};
use futures_util::future::join_all;
use lease::Secret;
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::sync::Arc;

struct House {
    github: GitHub,
    source: InstallationSource,
    secrets: Arc<dyn LongLived>,
    _peer: Peer,
    _shelf: Shelf,
}

impl House {
    async fn new(installation: u64) -> Self {
        let (github, peer, pem) = GitHub::start().await;
        // What is under test here asks the store for one value, whichever it is.
        let shelf = shelf(Store::Sqlite, &[("gh-app-key", pem.as_str())]).await;
        let secrets: Arc<dyn LongLived> = Arc::new(SealedBackend(shelf.store.clone()));
        let reach = Reach { ca: Some(peer.ca()), ..Reach::default() };
        let api = Endpoint::parse(&format!("{}/api/v3", peer.url())).unwrap();
        let private_key = (actor(), handle("gh-app-key"));
        let outbound = reach.client().unwrap();
        let app =
            GitHubApp::new("gh".into(), outbound, api, "123".into(), private_key, secrets.clone());
        let source = InstallationSource::new(app, installation);
        Self { github, source, secrets, _peer: peer, _shelf: shelf }
    }

    async fn ask(&self, narrow: &Narrow) -> Result<Resolved, BackendFault> {
        let (actor, handle) = (actor(), handle("github-ci"));
        let asked = Asked::of(&actor, &handle, narrow, now() + 300);
        assert!(self.source.is_capable(&asked));
        self.source.resolve(&asked).await
    }

    fn requests(&self) -> Vec<Value> {
        self.github.requests()
    }
}

fn token(resolved: &Resolved) -> String {
    let Credential::Bearer { token } = &resolved.credential else { panic!("not a bearer token") };
    String::from_utf8(token.expose().to_vec()).unwrap()
}

fn narrow(repositories: &[&str], level: &str) -> Narrow {
    Narrow {
        repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
        permissions: [("contents".to_owned(), level.to_owned())].into(),
        ..Narrow::default()
    }
}

#[tokio::test]
async fn a_token_is_narrowed_and_kept_by_its_narrowing() {
    let house = House::new(42).await;
    let one = narrow(&["x", "y"], "read");
    let all = join_all((0..100).map(|_| house.ask(&one))).await;
    assert!(all.iter().all(|asked| token(asked.as_ref().ok().unwrap()) == "ghs_1"));
    let body = json!({"repositories": ["x", "y"], "permissions": {"contents": "read"}});
    assert_eq!(house.requests(), [body]);
    let resolved = house.ask(&narrow(&["y", "x"], "read")).await.ok().unwrap();
    assert_eq!(token(&resolved), "ghs_1", "the order of a grant does not count");
    assert_eq!(resolved.scope, ["contents:read", "metadata:read"]);
    let left = resolved.expires_at.unwrap() - now();
    assert!((3590..=3600).contains(&left), "{left}");
    assert_eq!(resolved.revocation, None);
    for other in [narrow(&["x"], "read"), narrow(&["x", "y"], "write"), Narrow::default()] {
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
        let fault = house.ask(&narrow(&["x"], "read")).await.err().unwrap();
        assert_eq!(fault.code(), "credential_unfit", "{change}: {fault}");
    }
}

#[tokio::test]
async fn what_github_refuses_is_told_by_its_status_alone() {
    let house = House::new(43).await;
    let fault = house.ask(&Narrow::default()).await.err().unwrap();
    assert!(fault.to_string().contains("is this an installation of the app?"), "{fault}");
    for (status, code) in [(401, "backend_denied"), (422, "backend_denied"), (502, "backend_down")]
    {
        let house = House::new(42).await;
        house.github.refuses(Some(status));
        let fault = house.ask(&Narrow::default()).await.err().unwrap();
        assert_eq!(fault.code(), code, "{fault}");
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
}

#[tokio::test]
async fn without_the_right_key_github_is_not_asked_or_says_no() {
    let house = House::new(42).await;
    let key = handle("gh-app-key");
    house.secrets.replace(&actor(), &key, &Secret::new("canary, no key")).await.unwrap();
    let fault = house.ask(&Narrow::default()).await.err().unwrap();
    assert_eq!(fault.code(), "credential_unreadable");
    assert!(!fault.to_string().contains("canary") && house.requests().is_empty());
    let other = SigningKey::generate(Algorithm::Rs256, None).unwrap().to_pem().unwrap();
    house.secrets.replace(&actor(), &key, &Secret::new(other.as_bytes())).await.unwrap();
    let fault = house.ask(&narrow(&["x"], "read")).await.err().unwrap();
    assert_eq!(fault.code(), "backend_denied");
    let scoped = Narrow { scopes: vec!["repo".into()], ..Narrow::default() };
    assert!(matches!(house.ask(&scoped).await, Err(BackendFault::Denied(_))));
    assert_eq!(house.requests().len(), 1);
}
