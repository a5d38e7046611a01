//! Leases of credentials that somebody else makes: the real binary between an edge and an
//! authorization server, or GitHub, each over real TLS, from the grant to the header.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::authority::{Authority, CLIENT, CLIENT_SECRET, Trouble};
use common::client::Answer;
use common::github::GitHub;
use common::peer::Peer;
use common::receiver::{self, Receiver};
use common::stores::{Store, on_both_stores};
use common::{AUDIENCE, Home, ISSUER, Running, now};
use serde_json::json;
use session::{KeySet, Rules, Verifier};
use std::time::Duration;
use tokio::time::{sleep, timeout};

// What changes in the store is the refresh token; the others read from it once.
on_both_stores! {
    #[tokio::test]
    a_refresh_token_rotates_and_survives_kill_9,
    a_rotation_that_kill_9_cut_off_is_said_to_be_lost_until_a_new_token_is_put,
    a_rotated_refresh_token_that_cannot_be_stored_is_in_log_audit_and_alert,
    a_rotation_under_way_when_custody_is_stopped_is_stored_first,
    a_leased_token_is_revoked_soon_after_its_secret_is_replaced,
}

const REFRESH: &str = "refresh-0";
/// So long that only something broken takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Until it holds.
async fn until(what: impl AsyncFn() -> bool) {
    let holds = async {
        while !what().await {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("it did not happen"));
}

/// A custody with this backend's sections, and somebody who is told when the backend fails.
struct Scene {
    home: Home,
    receiver: Receiver,
    _hook: Peer,
}

impl Scene {
    async fn new(store: Store, sections: &str) -> Self {
        let home = Home::bare(store);
        let (receiver, hook) = Receiver::start().await;
        home.put("notify-hmac", &[], receiver::KEY);
        home.append(&format!("{}\n{sections}", receiver::section(&hook)));
        Self { home, receiver, _hook: hook }
    }

    async fn lease(&self, running: &Running, handle: &str) -> Answer {
        let mut request = self.home.request();
        request["handle"] = handle.into();
        self.home.lease(running, &request).await
    }

    /// The one header of a lease for this handle.
    async fn header(&self, running: &Running, handle: &str) -> String {
        let answer = self.lease(running, handle).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let lease = answer.json();
        let left = lease["expires_at"].as_u64().unwrap() - now();
        assert!((290..=300).contains(&left), "the token's hour is not the lease's: {left}");
        let [header] = &lease["headers"].as_array().unwrap()[..] else { panic!("{lease}") };
        assert_eq!(header["name"], "authorization");
        header["value"].as_str().unwrap().to_owned()
    }

    /// No lease: the edge learns nothing, the audit log why, and somebody is told.
    async fn fails(&self, running: &Running, (backend, handle): (&str, &str), code: &str) {
        // For a second after a failure its outcome is that of whoever asks.
        until(async || {
            let answer = self.lease(running, handle).await;
            assert_eq!((answer.status, answer.json()), (503, json!({"code": "unavailable"})));
            let last = self.home.records().pop().unwrap();
            assert_eq!(last["event"], "lease_failed");
            last["reason"] == code
        })
        .await;
        let told = json!({"backend": backend, "actor": "default", "handle": handle, "code": code});
        until(async || self.receiver.told().contains(&told)).await;
    }

    /// The next lease but for that second.
    async fn recovers(&self, running: &Running, handle: &str) -> String {
        until(async || self.lease(running, handle).await.status == 200).await;
        self.header(running, handle).await
    }

    /// What was said of failures, and what was kept, holds nothing of these.
    fn holds_none_of(&self, running: &Running, secrets: &[&str]) {
        let audit = std::fs::read_to_string(self.home.audit()).unwrap();
        let log = running.log.lock().unwrap().clone();
        let notices = format!("{:?}", self.receiver.inner().tries);
        for (what, text) in [("audit log", audit), ("log", log), ("notices", notices)] {
            for secret in secrets {
                assert!(!text.contains(secret), "{secret} in the {what}");
            }
        }
    }
}

/// An authorization server, and a custody that is its client.
async fn oauth(store: Store) -> (Scene, Authority, Peer) {
    let (authority, peer) = Authority::start().await;
    let (issuer, ca) = (peer.url(), peer.ca());
    let sections = format!(
        "backends:
  corp: {{type: oauth2, issuer: '{issuer}', ca: {}, client_id: '{CLIENT}',
    client_secret: {{handle: corp-client}}}}
credentials:
  corp-api: {{primary: {{backend: corp, grant: client_credentials, scopes: [read, write]}}}}
  corp-user: {{primary: {{backend: corp, grant: refresh_token, refresh_token: {{handle: corp-refresh}}}}}}
  corp-exchange: {{primary: {{backend: corp, grant: token_exchange, audience: inner-api}}}}
",
        ca.display()
    );
    let scene = Scene::new(store, &sections).await;
    let home = &scene.home;
    home.put("corp-client", &["--type", "opaque"], CLIENT_SECRET);
    home.put("corp-refresh", &["--type", "opaque"], REFRESH);
    home.grants(
        "- {handle: corp-api, destinations: [api.github.com], claims: {team: [build]},
     narrow: {scopes: [read]}}
  - {handle: corp-user, destinations: [api.github.com], claims: {team: [build]}}
  - {handle: corp-exchange, destinations: [api.github.com], claims: {team: [build]}}",
    );
    authority.inner().refresh = Some(REFRESH.into());
    (scene, authority, peer)
}

#[tokio::test]
async fn client_credentials_are_leased_narrowed_and_asked_for_once() {
    let (scene, authority, _peer) = oauth(Store::Sqlite).await;
    let running = scene.home.serve();
    for _ in 0..3 {
        assert_eq!(scene.header(&running, "corp-api").await, "Bearer access-client-1");
    }
    assert_eq!(authority.asked(), 1);
    assert_eq!(authority.last()["scope"], "read", "the grant gives away less than there is");
    let record = scene.home.records().pop().unwrap();
    assert_eq!((&record["event"], &record["outcome"]), (&json!("lease"), &json!("allow")));
    scene.holds_none_of(&running, &[CLIENT_SECRET, "access-client-1"]);
}

/// Nobody asks for the token again: time does it.
async fn a_leased_token_is_revoked_soon_after_its_secret_is_replaced(store: Store) {
    let (scene, authority, _peer) = oauth(store).await;
    let running = scene.home.serve();
    assert_eq!(scene.header(&running, "corp-api").await, "Bearer access-client-1");
    scene.home.put("corp-client", &["--type", "opaque"], CLIENT_SECRET);
    until(async || authority.inner().revoked == ["access-client-1"]).await;
    let is_record = |record: &serde_json::Value| {
        record["event"] == "token_revoked" && record["reason"] == "secret_changed"
    };
    until(async || scene.home.records().iter().any(is_record)).await;
    scene.holds_none_of(&running, &["access-client-1"]);
}

async fn a_refresh_token_rotates_and_survives_kill_9(store: Store) {
    let (scene, authority, _peer) = oauth(store).await;
    for round in 1..=3 {
        // Dropping it is SIGKILL: the access token is forgotten, and what rotated is not.
        let running = scene.home.serve();
        let header = scene.header(&running, "corp-user").await;
        assert_eq!(header, format!("Bearer access-user-{round}"));
        scene.holds_none_of(&running, &[&format!("refresh-{round}"), &header[7..]]);
    }
    assert_eq!((authority.asked(), authority.inner().reused), (3, 0));
}

async fn a_rotated_refresh_token_that_cannot_be_stored_is_in_log_audit_and_alert(store: Store) {
    let (scene, authority, _peer) = oauth(store).await;
    let running = scene.home.serve();
    let (forbid, allow) = match store {
        Store::Sqlite => (
            "CREATE TRIGGER broken BEFORE UPDATE ON credential BEGIN SELECT RAISE(ABORT, 'x'); END",
            "DROP TRIGGER broken",
        ),
        Store::Postgres => (
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE 'x'; END $$;
             CREATE TRIGGER broken BEFORE UPDATE ON credential
                 FOR EACH ROW EXECUTE FUNCTION broken()",
            "DROP TRIGGER broken ON credential",
        ),
    };
    scene.home.tamper(forbid);
    scene.fails(&running, ("corp", "corp-user"), "refresh_token_not_stored").await;
    let log = running.log.lock().unwrap().clone();
    assert!(log.contains("the rotated refresh token cannot be stored"), "{log}");
    scene.home.tamper(allow);
    // It was in memory: the server sees no thief.
    scene.recovers(&running, "corp-user").await;
    assert_eq!(authority.inner().reused, 0);
    scene.holds_none_of(&running, &["refresh-1", "refresh-2"]);
}

/// SIGKILL after the server has rotated the refresh token and before custody has its answer.
async fn kill_within_a_rotation(scene: &Scene, authority: &Authority) -> Running {
    let running = scene.home.serve();
    let asked = authority.asked();
    authority.inner().trouble = Some(Trouble::KeepsItsAnswer);
    tokio::select! {
        answer = scene.lease(&running, "corp-user") => panic!("{}", answer.text()),
        () = until(async || authority.asked() > asked) => {}
    }
    drop(running);
    authority.inner().trouble = None;
    scene.home.serve()
}

async fn a_rotation_that_kill_9_cut_off_is_said_to_be_lost_until_a_new_token_is_put(store: Store) {
    let (scene, authority, _peer) = oauth(store).await;
    let consent = |authority: &Authority, token: &str| {
        authority.inner().refresh = Some(token.into());
        scene.home.put("corp-refresh", &["--type", "opaque"], token);
    };
    // A new refresh token does not wait for the lock of the custody that is dead.
    let running = kill_within_a_rotation(&scene, &authority).await;
    consent(&authority, "consent-1");
    assert_eq!(scene.header(&running, "corp-user").await, "Bearer access-user-2");
    drop(running);

    let running = kill_within_a_rotation(&scene, &authority).await;
    assert_eq!(scene.lease(&running, "corp-user").await.status, 503);
    // The lock runs out.
    scene.home.tamper("UPDATE held_lock SET held_until = 0 WHERE name LIKE 'refresh-token/%'");
    scene.fails(&running, ("corp", "corp-user"), "refresh_token_lost").await;
    assert_eq!(authority.inner().reused, 1);
    let log = running.log.lock().unwrap().clone();
    for part in ["custody cred put corp-refresh --type opaque --actor default", "was stopped"] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    // Said again after a restart, and by nobody called another custody's doing.
    drop(running);
    let running = scene.home.serve();
    scene.fails(&running, ("corp", "corp-user"), "refresh_token_lost").await;
    assert!(!running.log.lock().unwrap().contains("another custody"));
    consent(&authority, "consent-2");
    scene.recovers(&running, "corp-user").await;
    // From here on a refusal is the server's own.
    authority.inner().refresh = None;
    drop(running);
    let running = scene.home.serve();
    scene.fails(&running, ("corp", "corp-user"), "backend_denied").await;
}

async fn a_rotation_under_way_when_custody_is_stopped_is_stored_first(store: Store) {
    let (scene, authority, _peer) = oauth(store).await;
    let running = scene.home.serve();
    authority.inner().trouble = Some(Trouble::AnswersLate(Duration::from_secs(2)));
    // The edge hangs up, so no connection holds up the end.
    tokio::select! {
        answer = scene.lease(&running, "corp-user") => panic!("{}", answer.text()),
        () = until(async || authority.asked() > 0) => {}
    }
    let stopped = tokio::task::spawn_blocking(|| running.stop());
    assert_eq!(stopped.await.unwrap(), 0);
    authority.inner().trouble = None;
    let running = scene.home.serve();
    scene.header(&running, "corp-user").await;
    assert_eq!(authority.inner().reused, 0);
}

#[tokio::test]
async fn a_session_is_exchanged_for_a_token_of_its_own() {
    let (scene, authority, _peer) = oauth(Store::Sqlite).await;
    let home = &scene.home;
    // The server verifies the very Session JWT that the guest came with.
    let keys = KeySet::from_jwks(&home.key.public_jwks()).unwrap();
    authority.inner().session_keys = Some(Verifier::new(Rules::new(ISSUER, AUDIENCE), keys));
    let running = home.serve();
    assert_eq!(scene.header(&running, "corp-exchange").await, "Bearer access-jti-1-1");
    assert_eq!(authority.last()["audience"], "inner-api");
    let mut request = home.request();
    request["handle"] = "corp-exchange".into();
    request["session"] = home.token_with("jti", "jti-2".into()).into();
    let other = home.lease(&running, &request).await.json();
    assert_eq!(other["headers"][0]["value"], "Bearer access-jti-2-2");
}

#[tokio::test]
async fn an_authorization_server_in_trouble_is_told_of_and_forgotten_when_it_is_back() {
    let (scene, authority, _peer) = oauth(Store::Sqlite).await;
    let running = scene.home.serve();
    let down = (StatusCode::BAD_GATEWAY, "<html>canary: nginx</html>");
    let no =
        (StatusCode::BAD_REQUEST, r#"{"error": "invalid_grant", "error_description": "canary"}"#);
    let strange = (StatusCode::OK, r#"{"access_token": "canary", "token_type": "mac"}"#);
    for ((status, body), code) in
        [(down, "backend_down"), (no, "backend_denied"), (strange, "credential_unfit")]
    {
        authority.inner().trouble = Some(Trouble::Answers(status, body.into()));
        scene.fails(&running, ("corp", "corp-api"), code).await;
    }
    authority.inner().trouble = None;
    assert_eq!(scene.recovers(&running, "corp-api").await, "Bearer access-client-1");
    // A refresh token that the server does not take any more.
    authority.inner().refresh = None;
    scene.fails(&running, ("corp", "corp-user"), "backend_denied").await;
    scene.holds_none_of(&running, &["canary", CLIENT_SECRET, REFRESH]);
}

/// A GitHub, and a custody that is an app there; its key is put as this says.
async fn github(put: impl FnOnce(&Home, &str)) -> (Scene, GitHub, Peer) {
    let (github, peer, pem) = GitHub::start().await;
    let sections = format!(
        "backends:
  gh: {{type: github_app, api: '{}/api/v3', ca: {}, app_id: '123',
    private_key: {{handle: gh-app-key}}}}
credentials:
  github-ci: {{primary: {{backend: gh, installation: 42}}}}
  github-git: {{primary: {{backend: gh, installation: 42, as: basic}}}}
",
        peer.url(),
        peer.ca().display()
    );
    let scene = Scene::new(Store::Sqlite, &sections).await;
    put(&scene.home, &pem);
    scene.home.grants(
        "- {handle: github-ci, destinations: [api.github.com], claims: {team: [build]},
     narrow: {repositories: [site], permissions: {contents: read}}}
  - {handle: github-git, destinations: [api.github.com], claims: {team: [build]},
     narrow: {repositories: [site], permissions: {contents: read}}}",
    );
    (scene, github, peer)
}

#[tokio::test]
async fn an_installation_token_is_leased_with_an_app_key_from_standard_input() {
    let (scene, github, _peer) = github(|home, pem| {
        assert!(pem.lines().count() > 10, "a key of many lines");
        home.put("gh-app-key", &["--type", "opaque"], pem);
    })
    .await;
    let running = scene.home.serve();
    for _ in 0..3 {
        assert_eq!(scene.header(&running, "github-ci").await, "Bearer ghs_1");
    }
    let asked = json!({"repositories": ["site"], "permissions": {"contents": "read"}});
    assert_eq!(github.requests(), [asked]);
    scene.holds_none_of(&running, &["ghs_1", "PRIVATE KEY"]);
}

#[tokio::test]
async fn an_installation_token_for_git_is_leased_as_basic() {
    let (scene, _github, _peer) =
        github(|home, pem| home.put("gh-app-key", &["--type", "opaque"], pem)).await;
    let running = scene.home.serve();
    let basic = format!("Basic {}", STANDARD.encode("x-access-token:ghs_1"));
    assert_eq!(scene.header(&running, "github-git").await, basic);
    scene.holds_none_of(&running, &["ghs_1", &basic[6..]]);
}

#[tokio::test]
async fn an_installation_token_is_leased_with_an_app_key_from_a_file() {
    let (scene, _github, _peer) = github(|home, pem| {
        let file = home.path("app.pem");
        custody_base::files::create_private(&file, pem.as_bytes()).unwrap();
        home.put("gh-app-key", &["--type", "opaque", "--from", file.to_str().unwrap()], "");
    })
    .await;
    let running = scene.home.serve();
    assert_eq!(scene.header(&running, "github-ci").await, "Bearer ghs_1");
}

#[tokio::test]
async fn a_github_that_refuses_gives_no_lease_and_is_told_of() {
    let (scene, github, _peer) =
        github(|home, pem| home.put("gh-app-key", &["--type", "opaque"], pem)).await;
    let running = scene.home.serve();
    for (status, code) in [(401, "backend_denied"), (502, "backend_down")] {
        github.refuses(Some(status));
        scene.fails(&running, ("gh", "github-ci"), code).await;
    }
    github.refuses(None);
    assert!(scene.recovers(&running, "github-ci").await.starts_with("Bearer ghs_"));
    scene.holds_none_of(&running, &["canary", "PRIVATE KEY"]);
    // More than the grant allows is not handed on, and somebody should know.
    let Scene { home, .. } = &scene;
    drop(running);
    github.changes(json!({"permissions": {"contents": "write"}}));
    let running = home.serve();
    scene.fails(&running, ("gh", "github-ci"), "credential_unfit").await;
}
