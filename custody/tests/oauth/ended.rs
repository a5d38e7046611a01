//! Tokens that end with what they were minted from and for.

use super::common::authority::{CLIENT_SECRET, Trouble};
use super::common::now;
use super::common::shelf::{actor, handle};
use super::common::stores::{Store, on_both_stores};
use super::{House, REFRESH, ask, client_credentials, refreshes, token};
use custody::backend::oauth::{OAuthSource, TokenRequest};
use custody::backend::{BackendFault, CredentialBackend};
use custody::credential::Resolved;
use custody::ledger::{Revocation, Target};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    tokens_end_on_every_replica_with_the_secret_they_were_minted_from,
    tokens_end_on_every_replica_with_a_revocation_that_is_taken_back,
    a_token_whose_secret_is_replaced_while_it_is_minted_is_not_leased,
    a_secret_put_while_it_is_rotated_stays_and_its_token_is_not_leased,
    a_rotation_by_another_replica_ends_no_token,
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
            replicas[0].sweep().await;
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
