//! What a custody asks of an OpenBao, asked of a real one: that ours has it all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use stack::openbao::{OpenBao, Storage};
use stack::postgres::Postgres;
use stack::sessions::Sessions;
use tempfile::TempDir;

/// An Ed25519 public key as SubjectPublicKeyInfo (RFC 8410), up to the key itself.
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

struct Bao {
    server: OpenBao,
    _folder: TempDir,
}

impl Bao {
    /// One with a KV store at `kv/`, and the policy `app` for what is below `kv/app`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = OpenBao::start(folder.path(), Storage::Memory).unwrap();
        server.root("POST", "sys/mounts/kv", &json!({"type": "kv-v2"})).unwrap();
        for name in ["app/mine", "other"] {
            let data = json!({"data": {"value": name}});
            server.root("POST", &format!("kv/data/{name}"), &data).unwrap();
        }
        let policy = json!({"policy": "path \"kv/data/app/*\" { capabilities = [\"read\"] }"});
        server.root("POST", "sys/policies/acl/app", &policy).unwrap();
        Self { server, _folder: folder }
    }

    fn login(&self, path: &str, body: &Value) -> (u16, String) {
        let (status, answer) = self.server.call("POST", path, None, Some(body)).unwrap();
        (status, answer["auth"]["client_token"].as_str().unwrap_or_default().to_owned())
    }

    /// What the policy `app` lets this token do, and no more.
    fn assert_reads_app_alone(&self, token: &str) {
        let read = |path: &str| self.server.call("GET", path, Some(token), None).unwrap();
        let (status, answer) = read("kv/data/app/mine");
        assert_eq!((status, &answer["data"]["data"]["value"]), (200, &json!("app/mine")));
        assert_eq!(read("kv/data/other").0, 403);
    }
}

#[test]
fn an_app_role_logs_in_and_reads_what_its_policy_lets_it() {
    let bao = Bao::new();
    bao.server.root("POST", "sys/auth/approle", &json!({"type": "approle"})).unwrap();
    let role = json!({"token_policies": ["app"], "token_ttl": "60s"});
    bao.server.root("POST", "auth/approle/role/custody", &role).unwrap();
    let id = bao.server.root("GET", "auth/approle/role/custody/role-id", &Value::Null).unwrap();
    let secret =
        bao.server.root("POST", "auth/approle/role/custody/secret-id", &json!({})).unwrap();
    let body = |secret: &Value| json!({"role_id": id["data"]["role_id"], "secret_id": secret});
    let (status, token) = bao.login("auth/approle/login", &body(&secret["data"]["secret_id"]));
    assert_eq!(status, 200);
    bao.assert_reads_app_alone(&token);
    assert_eq!(bao.login("auth/approle/login", &body(&json!("wrong"))).0, 400);
}

#[test]
fn a_session_jwt_logs_in_by_its_claims() {
    let bao = Bao::new();
    let sessions = Sessions::generate().unwrap();
    let jwk = sessions.key().public_jwk();
    let point = BASE64_URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    let key = BASE64_STANDARD.encode([&ED25519[..], &point].concat());
    let key = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
    bao.server.root("POST", "sys/auth/jwt", &json!({"type": "jwt"})).unwrap();
    let config = json!({
        "jwt_validation_pubkeys": [key],
        "jwt_supported_algs": ["EdDSA"],
        "bound_issuer": sessions.issuer(),
    });
    bao.server.root("POST", "auth/jwt/config", &config).unwrap();
    let role = json!({
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [sessions.audience()],
        "bound_claims": {"team": "build"},
        "token_policies": ["app"],
    });
    bao.server.root("POST", "auth/jwt/role/guest", &role).unwrap();
    let login = |team: &str| {
        let jwt = sessions.mint(&json!({"team": team})).unwrap();
        bao.login("auth/jwt/login", &json!({"role": "guest", "jwt": jwt}))
    };
    let (status, token) = login("build");
    assert_eq!(status, 200);
    bao.assert_reads_app_alone(&token);
    assert_eq!(login("other").0, 400);
}

#[test]
fn transit_encrypts_and_decrypts() {
    let bao = Bao::new();
    bao.server.root("POST", "sys/mounts/transit", &json!({"type": "transit"})).unwrap();
    bao.server.root("POST", "transit/keys/custody", &json!({})).unwrap();
    let plain = json!({"plaintext": BASE64_STANDARD.encode("a value")});
    let sealed = bao.server.root("POST", "transit/encrypt/custody", &plain).unwrap();
    let sealed = json!({"ciphertext": sealed["data"]["ciphertext"]});
    assert!(sealed["ciphertext"].as_str().unwrap().starts_with("vault:v1:"), "{sealed}");
    let opened = bao.server.root("POST", "transit/decrypt/custody", &sealed).unwrap();
    assert_eq!(opened["data"]["plaintext"], plain["plaintext"]);
}

#[test]
fn a_leased_user_of_a_database_lives_until_its_lease_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(folder.path()).unwrap();
    postgres.create_database("shop").unwrap();
    let bao = Bao::new();
    bao.server.lease_users_of(&postgres, "shop", "app", Duration::from_secs(120)).unwrap();
    let lease = bao.server.root("GET", "database/creds/app", &Value::Null).unwrap();
    assert_eq!((&lease["lease_duration"], &lease["renewable"]), (&json!(120), &json!(true)));
    let text = |field: &str| lease["data"][field].as_str().unwrap().to_owned();
    let (user, password) = (text("username"), text("password"));
    let ask = || postgres.sql_as(&user, &password, "shop", "SELECT current_user");
    assert_eq!(ask().unwrap().trim_end(), user);
    let revoke = json!({"lease_id": lease["lease_id"], "sync": true});
    bao.server.root("POST", "sys/leases/revoke", &revoke).unwrap();
    let error = ask().unwrap_err().to_string();
    assert!(error.contains("password authentication failed"), "{error}");
}
