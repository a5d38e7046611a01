//! Guests never meet: with many tunnels open at once, each request is judged with the session of its
//! own CONNECT and gets the credential of its own team.
//!
//! Envoy keeps connections to its internal listener in a pool. A tunnel that was handed one opened
//! for another guest would carry that guest's session.

use serde_json::json;
use stack::origin::OriginSettings;
use stack::policy::ORIGIN_PORT;
use stack::{Credential, Stack};
use tests::scene::{API, Scene};

const TEAMS: [&str; 4] = ["red", "green", "blue", "grey"];
const ROUNDS: usize = 12;

fn secret(team: &str) -> String {
    format!("secret-of-{team}-7d1e")
}

/// One host, and for each team a destination of its own with a credential of its own.
fn scene() -> Scene {
    let destinations: Vec<_> = TEAMS
        .iter()
        .map(|team| {
            json!({
                "name": team,
                "hosts": [API],
                "ports": [ORIGIN_PORT],
                "allow": [{"methods": ["GET"], "paths": ["/**"]}],
                "sessions": {"claims": {"team": [team]}},
                "credential": {"handle": team},
            })
        })
        .collect();
    let builder = Stack::builder()
        .policy(json!({"destinations": destinations}))
        .origin(OriginSettings::new([API]));
    let with_credentials = TEAMS
        .iter()
        .fold(builder, |builder, team| builder.credential(Credential::bearer(team, &secret(team))));
    Scene::start(with_credentials)
}

/// Opens tunnels one after the other, a session each; says which path got another team's credential.
fn visit(scene: &Scene, team: &str, guest: usize) {
    for round in 0..ROUNDS {
        let session = scene.stack.mint(&json!({"team": team})).unwrap();
        let mut tls = scene.tls_with(&scene.at(API), Some(API), &session).unwrap();
        for turn in 0..2 {
            let path = format!("/{team}/{guest}/{round}/{turn}");
            let reply = tests::wire::Wire::new(&mut tls).exchange(scene.get(API, &path)).unwrap();
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        }
    }
}

#[test]
fn every_guest_keeps_its_own_session() {
    let scene = scene();
    std::thread::scope(|scope| {
        for guest in 0..4 {
            for team in TEAMS {
                let scene = &scene;
                scope.spawn(move || visit(scene, team, guest));
            }
        }
    });
    let seen = scene.stack.origin().unwrap().record().all();
    assert_eq!(seen.len(), 4 * TEAMS.len() * ROUNDS * 2);
    for request in seen {
        let team = request.path.split('/').nth(1).unwrap();
        let expected = format!("Bearer {}", secret(team)).into_bytes();
        assert!(request.authorization() == Some(expected), "{} got another's", request.path);
    }
}
