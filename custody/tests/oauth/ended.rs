//! Tokens that end with what they were minted from and for.

use super::common::authority::{CLIENT_SECRET, Trouble};
use super::common::now;
use super::common::shelf::{actor, handle};
use super::common::stores::{Store, on_both_stores};
use super::{House, REFRESH, ask, basic, client_credentials, refreshes, token};
use custody::housekeeping;
use custody_backends::oauth::{Endpoints, OAuthSource, TokenRequest};
use custody_backends::resolver::{Resolver, Sources};
use custody_backends::{BackendFault, CredentialBackend, CredentialRequest, Restriction};
use custody_base::credential::Resolved;
use custody_base::outbound::Endpoint;
use custody_ledger::{LeaseRow, NewLease, Recorded, Revocation, Target};
use lease::Binding;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    tokens_end_on_every_replica_with_the_secret_they_were_minted_from,
    tokens_end_on_every_replica_with_a_revocation_that_is_taken_back,
    a_token_whose_secret_is_replaced_while_it_is_minted_is_not_leased,
    a_secret_put_while_it_is_rotated_stays_and_its_token_is_not_leased,
    a_rotation_by_another_replica_ends_no_token,
    tokens_of_an_actor_end_with_its_teardown_though_their_secret_is_of_another,
    a_token_that_nobody_asks_for_ends_by_itself_with_its_secret,
    a_lease_of_a_token_is_recorded_only_while_its_secrets_are_there,
    a_revocation_that_the_issuer_refuses_is_in_the_audit_log,
}

/// Both replicas lease this, and neither what `ended` has; its server hears of each.
async fn minted_anew(house: &House, replicas: &[OAuthSource; 2], ended: &[String]) -> Vec<String> {
    let mut tokens = Vec::new();
    for source in replicas {
        let leased = token(&ask(source).await.ok().unwrap());
        assert!(!ended.contains(&leased), "{leased} was leased again");
        assert_eq!(token(&ask(source).await.ok().unwrap()), leased, "it is kept");
        tokens.push(leased);
    }
    are_revoked(house, ended).await;
    tokens
}

async fn are_revoked(house: &House, ended: &[String]) {
    let begun = std::time::Instant::now();
    while !ended.iter().all(|token| house.authority.inner().revoked.contains(token)) {
        assert!(begun.elapsed() < Duration::from_secs(20), "its server was not asked to revoke");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn tokens_end_on_every_replica_with_the_secret_they_were_minted_from(store: Store) {
    for (request, name) in [
        (client_credentials(), "corp-client"),
        (refreshes(), "corp-client"),
        (refreshes(), "corp-refresh"),
    ] {
        let house = House::new(store).await;
        let secret = || match name {
            "corp-client" => CLIENT_SECRET.to_owned(),
            _ => house.authority.inner().refresh.clone().unwrap(),
        };
        let replicas = [house.source(request.clone()), house.source(request)];
        let first = minted_anew(&house, &replicas, &[]).await;
        house.put(name, &secret()).await;
        let second = minted_anew(&house, &replicas, &first).await;
        assert!(house.shelf.store.delete(&actor(), &handle(name)).await.unwrap());
        for source in &replicas {
            assert_eq!(ask(source).await.err(), Some(BackendFault::Absent));
        }
        house.put(name, &secret()).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let third = minted_anew(&house, &replicas, &[]).await;
        assert!(third.iter().all(|token| !first.contains(token) && !second.contains(token)));
        // As a teardown does.
        assert!(house.shelf.store.wipe(&actor()).await.unwrap() > 0);
        for source in &replicas {
            assert_eq!(ask(source).await.err(), Some(BackendFault::Absent));
        }
    }
}

async fn tokens_end_on_every_replica_with_a_revocation_that_is_taken_back(store: Store) {
    for request in [client_credentials(), refreshes()] {
        let house = House::new(store).await;
        let replicas = [house.source(request.clone()), house.source(request)];
        let mut leased = minted_anew(&house, &replicas, &[]).await;
        for target in [Target::Handle(handle("corp-api")), Target::Actor(actor())] {
            let by = "operator".to_owned();
            let revocation = Revocation { target: target.clone(), at: now(), until: None, by };
            house.shelf.ledger.revoke(&revocation).await.unwrap();
            assert!(house.shelf.ledger.restore(&target, now()).await.unwrap());
            // Nobody asks; it ends all the same.
            replicas[0].sweep().await.unwrap();
            are_revoked(&house, &leased[..1]).await;
            leased = minted_anew(&house, &replicas, &leased).await;
        }
        // What is about something else ends nothing.
        let target = Target::Handle(handle("other"));
        let revocation = Revocation { target, at: now(), until: None, by: "operator".into() };
        house.shelf.ledger.revoke(&revocation).await.unwrap();
        assert_eq!(minted_anew(&house, &replicas, &[]).await, leased);
    }
}

/// Asks for a token, and puts this secret when the server has the question and has not answered yet.
async fn ask_while_put(
    house: &House,
    request: TokenRequest,
    (name, secret): (&str, &str),
) -> Result<Resolved, BackendFault> {
    let (source, gate) = (house.source(request), Arc::new(Semaphore::new(0)));
    house.authority.inner().trouble = Some(Trouble::IsHeld(Arc::clone(&gate)));
    let replace = async {
        while house.authority.inner().arrived == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        house.put(name, secret).await;
        house.authority.inner().trouble = None;
        gate.add_permits(1);
    };
    tokio::join!(ask(&source), replace).0
}

async fn a_token_whose_secret_is_replaced_while_it_is_minted_is_not_leased(store: Store) {
    let house = House::new(store).await;
    let put = ("corp-client", CLIENT_SECRET);
    let leased = ask_while_put(&house, client_credentials(), put).await;
    assert_eq!(token(&leased.ok().unwrap()), "access-client-2");
    are_revoked(&house, &["access-client-1".to_owned()]).await;
}

async fn a_secret_put_while_it_is_rotated_stays_and_its_token_is_not_leased(store: Store) {
    let house = House::new(store).await;
    let put = ("corp-refresh", "refresh-of-a-new-consent");
    // The server knows of no new consent.
    assert!(ask_while_put(&house, refreshes(), put).await.is_err());
    assert_eq!(house.stored().await, "refresh-of-a-new-consent");
    are_revoked(&house, &["access-user-1".to_owned()]).await;
}

async fn a_rotation_by_another_replica_ends_no_token(store: Store) {
    let house = House::new(store).await;
    let replicas = [house.source(refreshes()), house.source(refreshes())];
    let leased = minted_anew(&house, &replicas, &[]).await;
    assert_ne!(house.stored().await, REFRESH);
    assert_eq!(minted_anew(&house, &replicas, &[]).await, leased);
    assert_eq!((house.authority.asked(), house.authority.inner().revoked.len()), (2, 0));
}

/// The record of a revocation at the issuer.
async fn record(house: &House, event: &str) -> Value {
    for _ in 0..2000 {
        if let Some(record) = house.shelf.records(event).pop() {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {event} is written");
}

async fn tokens_of_an_actor_end_with_its_teardown_though_their_secret_is_of_another(store: Store) {
    let house = House::new(store).await;
    let replicas = [house.source(client_credentials()), house.source(client_credentials())];
    let (ada, under, restriction) =
        ("ada".parse().unwrap(), handle("corp-api"), Restriction::default());
    let lease = async |source: &OAuthSource| {
        let asked = CredentialRequest::of(&ada, &under, &restriction, now() + 300);
        token(&source.resolve(&asked).await.ok().unwrap())
    };
    let others = token(&ask(&replicas[0]).await.ok().unwrap());
    let ended = [lease(&replicas[0]).await, lease(&replicas[1]).await];
    assert_eq!(house.shelf.store.wipe(&ada).await.unwrap(), 0, "nothing is stored of it");
    for source in &replicas {
        assert!(!ended.contains(&lease(source).await));
    }
    are_revoked(&house, &ended).await;
    assert_eq!(token(&ask(&replicas[0]).await.ok().unwrap()), others, "of another actor");
    let record = record(&house, "token_revoked").await;
    assert_eq!(
        (&record["backend"], &record["actor"], &record["handle"], &record["reason"]),
        (&json!("corp"), &json!("ada"), &json!("corp-api"), &json!("owner_changed"))
    );
}

async fn a_token_that_nobody_asks_for_ends_by_itself_with_its_secret(store: Store) {
    let house = House::new(store).await;
    let source = Arc::new(house.source(client_credentials()));
    let leased = token(&ask(&source).await.ok().unwrap());
    let sources = Sources { primary: source, backup: None };
    let resolver = Arc::new(Resolver::new(Vec::new(), [(handle("corp-api"), sources)].into()));
    let (stop, stopping) = watch::channel(false);
    let sweeping = tokio::spawn(housekeeping::sweep(resolver, stopping));
    house.put("corp-client", CLIENT_SECRET).await;
    are_revoked(&house, &[leased]).await;
    stop.send(true).unwrap();
    sweeping.await.unwrap();
    let record = record(&house, "token_revoked").await;
    assert_eq!(
        (&record["reason"], &record["outcome"]),
        (&json!("secret_changed"), &json!("allow"))
    );
}

async fn a_lease_of_a_token_is_recorded_only_while_its_secrets_are_there(store: Store) {
    for name in ["corp-client", "corp-refresh"] {
        let house = House::new(store).await;
        let resolved = ask(&house.source(refreshes())).await.ok().unwrap();
        let row = LeaseRow {
            lease_id: "l".into(),
            session: "s".into(),
            subject: "w".into(),
            actor: actor(),
            handle: handle("corp-api"),
            destination: "d".into(),
            binding: Binding::Session,
            issued_at: now(),
            expires_at: now() + 300,
            backend: "corp".into(),
            revocation: None,
            outcome: None,
        };
        let lease = NewLease { made_from: &resolved.made_from, ..NewLease::of(&row) };
        assert_eq!(house.shelf.ledger.record(&lease).await, Ok(Recorded::Written));
        house.put(name, "another").await;
        assert_eq!(house.shelf.ledger.record(&lease).await, Ok(Recorded::Stale), "{name}");
    }
}

async fn a_revocation_that_the_issuer_refuses_is_in_the_audit_log(store: Store) {
    let house = House::new(store).await;
    let url = house.peer.url();
    let at = |path: &str| Endpoint::parse(&format!("{url}{path}")).unwrap();
    for (revocation, code) in
        [(None, "no_revocation_endpoint"), (Some(at("/nowhere")), "backend_denied")]
    {
        let endpoints = Endpoints::configured(at("/token"), revocation);
        let source = OAuthSource::new(house.replica_at(endpoints, basic()), client_credentials());
        ask(&source).await.ok().unwrap();
        house.put("corp-client", CLIENT_SECRET).await;
        let before = house.shelf.records("token_not_revoked").len();
        source.sweep().await.unwrap();
        let refused = async {
            while house.shelf.records("token_not_revoked").len() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
        let record = house.shelf.records("token_not_revoked").pop().unwrap();
        assert_eq!((&record["code"], &record["outcome"]), (&json!(code), &json!("deny")));
    }
    assert_eq!(house.authority.inner().revoked.len(), 0);
}
