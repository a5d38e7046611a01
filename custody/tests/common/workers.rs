//! A home with a workers' listener, and an issuer of capability tokens.

use super::client::{Answer, TestClient};
use super::stores::Store;
use super::{Home, Running, now};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

pub const CAPABILITY_ISSUER: &str = "https://capabilities.example";

pub struct WorkersHome {
    pub home: Home,
    pub issuer: SigningKey,
    count: AtomicU64,
}

impl WorkersHome {
    pub fn new(store: Store) -> Self {
        let home = Home::new(store);
        let issuer = SigningKey::generate(Algorithm::EdDsa, Some("c1")).unwrap();
        fs::write(home.path("capabilities.json"), issuer.public_jwks().to_string()).unwrap();
        home.edit(
            "\nhealth:\n",
            &format!(
                "\nworkers:
  listen: \"127.0.0.1:0\"
  tls: {{certificate: server.pem, key: server.key, client_ca: worker-ca.pem}}
  capabilities: {{issuer: \"{CAPABILITY_ISSUER}\", keys: {{jwks_file: capabilities.json}}}}
health:\n"
            ),
        );
        Self { home, issuer, count: AtomicU64::new(0) }
    }

    pub fn client(&self) -> TestClient {
        let identity = Some((self.home.path("worker.pem"), self.home.path("worker.key")));
        TestClient { identity, ..self.home.operator_client() }
    }

    /// Claims of a good token.
    pub fn claims(&self, op: &str, actor: &str, service: &str) -> Value {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        json!({"iss": CAPABILITY_ISSUER, "aud": "leasehold-custody", "sub": "worker-7",
            "jti": format!("cap-{number}"), "iat": now(), "exp": now() + 60,
            "op": op, "actor": actor, "service": service})
    }

    pub fn token(&self, op: &str, actor: &str, service: &str) -> String {
        self.issuer.sign(&self.claims(op, actor, service)).unwrap()
    }

    /// `POST /v1/cred/WHAT` with this token.
    pub async fn call(&self, running: &Running, what: &str, token: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send(running, what, &[("authorization", &bearer)], &body.to_string()).await
    }

    pub async fn send(
        &self,
        running: &Running,
        what: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let path = format!("/v1/cred/{what}");
        let body = Some(body.as_bytes());
        self.client().send(running.workers, "POST", &path, headers, body).await.unwrap()
    }
}
