//! Credentials from a real OpenBao.
//! OpenBao is the store here; one ledger is enough.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;
#[path = "openbao/policies.rs"]
mod policies;
#[path = "openbao/wrapped.rs"]
mod wrapped;

use common::bao::{Bao, headers, resolve, resolver};
use common::client::plain_get;
use common::stores::Store;
use common::{Home, now};
use custody_backends::BackendFault;
use custody_base::credential::{Credential, CredentialType};
use serde_json::{Value, json};
use stack::openbao::Storage;
use stack::postgres::Postgres;
use std::time::{Duration, Instant};

const KEYS: &str = "credentials:
  llm: {primary: {backend: bao, kv: {mount: kv, path: app/llm}, field: key}}
";
/// So long that only something broken takes it.
const PATIENCE: Duration = Duration::from_secs(60);

fn pair(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

async fn until(what: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !what().await {
        assert!(begun.elapsed() < PATIENCE, "it did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_kv_value_of_every_type() {
    let bao = Bao::start(Storage::Memory);
    bao.kv(
        "app/all",
        json!({"token": "t", "username": "Aladdin", "password": "open sesame",
        "key": "k", "signed_key": "cert", "private_key": "pem", "principal": "p@R",
        "ccache": "AAEC", "value": "raw", "number": 7, "nested": {"a": ["b"]}}),
    );
    let at = "backend: bao, kv: {mount: kv, path: app/all}";
    let sources = [
        ("bearer", ""),
        ("basic", ", type: basic"),
        ("api", ", type: api_key, header: x-key"),
        ("set", ", type: header_set, headers: {x-a: token, x-b: key}"),
        ("ssh", ", type: ssh_certificate"),
        ("krb", ", type: kerberos_ticket"),
        ("opaque", ", type: opaque"),
        ("missing", ", field: no-such"),
        ("number", ", field: number"),
        ("nested", ", field: nested"),
    ];
    let list: String =
        sources.iter().map(|(h, more)| format!("  {h}: {{primary: {{{at}{more}}}}}\n")).collect();
    let resolver = resolver(&format!("{}credentials:\n{list}", bao.backend()));
    assert_eq!(headers(&resolver, "bearer").await, Ok(pair("authorization", "Bearer t")));
    let basic = pair("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(headers(&resolver, "basic").await, Ok(basic));
    assert_eq!(headers(&resolver, "api").await, Ok(pair("x-key", "k")));
    let both = [pair("x-a", "t"), pair("x-b", "k")].concat();
    assert_eq!(headers(&resolver, "set").await, Ok(both));
    for (handle, kind) in [
        ("ssh", CredentialType::SshCertificate),
        ("krb", CredentialType::KerberosTicket),
        ("opaque", CredentialType::Opaque),
    ] {
        let answered = resolve(&resolver, handle, Some(kind)).await.ok().unwrap();
        let credential = answered.resolved.credential;
        match &credential {
            Credential::SshCertificate { certificate, private_key } => {
                assert_eq!((certificate.as_str(), private_key.expose()), ("cert", &b"pem"[..]));
            }
            Credential::KerberosTicket { principal, ccache } => {
                assert_eq!((principal.as_str(), ccache.expose()), ("p@R", &[0, 1, 2][..]));
            }
            other => assert_eq!(other.secret().expose(), b"raw"),
        }
        // To an edge, or as another type, it is not given, and OpenBao is not asked.
        let before = bao.accesses();
        assert_eq!(headers(&resolver, handle).await, Err("no_backend_available".into()));
        assert_eq!(bao.accesses(), before);
    }
    for handle in ["missing", "number", "nested"] {
        assert_eq!(headers(&resolver, handle).await, Err("backend_denied".into()), "{handle}");
    }
    assert_eq!(bao.calls("auth/approle/login"), 1, "one login serves all");
}

#[tokio::test]
async fn versions_and_what_was_deleted() {
    let bao = Bao::start(Storage::Memory);
    for value in ["one", "two"] {
        bao.kv("app/llm", json!({"key": value}));
    }
    let sections = format!(
        "{}{KEYS}  first: {{primary: {{backend: bao, kv: {{mount: kv, path: app/llm, version: 1}}, \
         field: key}}}}\n",
        bao.backend()
    );
    let resolver = resolver(&sections);
    assert_eq!(headers(&resolver, "llm").await, Ok(pair("authorization", "Bearer two")));
    assert_eq!(headers(&resolver, "first").await, Ok(pair("authorization", "Bearer one")));
    bao.server.root("DELETE", "kv/data/app/llm", &Value::Null).unwrap();
    assert_eq!(headers(&resolver, "llm").await, Err("backend_denied".into()));
    assert_eq!(headers(&resolver, "first").await, Ok(pair("authorization", "Bearer one")));
}

#[tokio::test]
async fn no_is_told_from_not_there() {
    let mut bao = Bao::start(Storage::Disk);
    bao.kv("app/llm", json!({"key": "v"}));
    bao.kv("theirs", json!({"key": "v"}));
    let more = "  theirs: {primary: {backend: bao, kv: {mount: kv, path: theirs}, field: key}}
  nothing: {primary: {backend: bao, kv: {mount: kv, path: app/nothing}, field: key}}
  leaseless: {primary: {backend: bao, dynamic: {path: kv/data/app/llm}}}\n";
    let resolver = resolver(&format!("{}{KEYS}{more}", bao.backend()));
    let good = Ok(pair("authorization", "Bearer v"));
    assert_eq!(headers(&resolver, "llm").await, good);
    assert_eq!(headers(&resolver, "theirs").await, Err("backend_denied".into()), "403");
    assert_eq!(headers(&resolver, "nothing").await, Err("backend_denied".into()), "404");
    assert_eq!(headers(&resolver, "leaseless").await, Err("credential_unfit".into()));
    assert_eq!(bao.calls("auth/approle/login"), 1, "a policy's 403 is no reason to log in again");
    bao.server.seal().unwrap();
    assert_eq!(headers(&resolver, "llm").await, Err("backend_down".into()), "sealed");
    bao.server.unseal().unwrap();
    assert_eq!(headers(&resolver, "llm").await, good);
    bao.server.kill();
    assert_eq!(headers(&resolver, "llm").await, Err("backend_down".into()), "killed");
    bao.server.restart().unwrap();
    assert_eq!(headers(&resolver, "llm").await, good, "after a restart");
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end_and_replaced_when_that_ends() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "v"}));
    bao.role(json!({"token_ttl": "2s", "token_max_ttl": "6s"}));
    let resolver = resolver(&format!("{}{KEYS}", bao.backend()));
    let good = Ok(pair("authorization", "Bearer v"));
    // Nobody asks for anything meanwhile but the test; the keeper does what is needed.
    assert_eq!(headers(&resolver, "llm").await, good);
    until(async || bao.calls("auth/token/renew-self") >= 2).await;
    assert_eq!(bao.calls("auth/approle/login"), 1);
    assert_eq!(headers(&resolver, "llm").await, good);
    until(async || bao.calls("auth/approle/login") >= 2).await;
    assert_eq!(headers(&resolver, "llm").await, good);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_in_the_same_breath() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "v"}));
    let resolver = resolver(&format!("{}{KEYS}", bao.backend()));
    let good = Ok(pair("authorization", "Bearer v"));
    assert_eq!(headers(&resolver, "llm").await, good);
    bao.root("sys/leases/revoke-prefix/auth/approle", json!({}));
    assert_eq!(headers(&resolver, "llm").await, good);
    assert_eq!(bao.calls("auth/approle/login"), 2);
    // Many at once wait for one login.
    bao.root("sys/leases/revoke-prefix/auth/approle", json!({}));
    let all = (0..20).map(|_| headers(&resolver, "llm"));
    assert!(futures_util::future::join_all(all).await.iter().all(|one| *one == good));
    assert_eq!(bao.calls("auth/approle/login"), 3);
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_repeated_by_the_hundred() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "v"}));
    bao.file("secret-id", "wrong");
    let resolver = resolver(&format!("{}{KEYS}", bao.backend()));
    let all = (0..100).map(|_| headers(&resolver, "llm"));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(|one| *one == Err("backend_denied".into())), "{all:?}");
    assert!(bao.calls("auth/approle/login") <= 3, "{}", bao.calls("auth/approle/login"));
    assert_eq!(bao.accesses(), 0);
    // A right one is read without a restart.
    bao.role(json!({"token_ttl": "10m"}));
    let good = Ok(pair("authorization", "Bearer v"));
    until(async || headers(&resolver, "llm").await == good).await;
}

#[tokio::test]
async fn a_token_file_is_read_again_when_it_changes() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "v"}));
    let token = || {
        let made = bao.root("auth/token/create", json!({"policies": ["custody"], "ttl": "10m"}));
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    let first = token();
    let file = bao.file("token", &first);
    let auth = json!({"token_file": file});
    let resolver = resolver(&format!("{}{KEYS}", bao.backend_with(auth, Value::Null)));
    let good = Ok(pair("authorization", "Bearer v"));
    assert_eq!(headers(&resolver, "llm").await, good);
    // Replaced, and the old one is dead.
    bao.file("token", &token());
    bao.root("auth/token/revoke", json!({"token": first}));
    assert_eq!(headers(&resolver, "llm").await, good);
    // Gone.
    std::fs::remove_file(&file).unwrap();
    let unresolved = resolve(&resolver, "llm", None).await.err().unwrap();
    let fault = &unresolved.failures[0].fault;
    assert!(matches!(fault, BackendFault::Unreadable(text) if text.contains("token")), "{fault}");
    let file = bao.file("token", "not a\ntoken");
    // A login that failed is tried again a second later, not at once.
    let says = async |word: &str| {
        let unresolved = resolve(&resolver, "llm", None).await.err().unwrap();
        unresolved.failures[0].fault.to_string().contains(word)
    };
    until(async || says("is not one word of text").await).await;
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    until(async || says("chmod 600").await).await;
}

/// Logins by JWT at `auth/k8s`, with a role `custody` of these settings; makes a subject's JWT.
fn jwt_logins(bao: &Bao, mut role: Value) -> impl Fn(&str) -> String {
    use base64::Engine;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
    let workload =
        session::mint::SigningKey::generate(session::Algorithm::EdDsa, Some("w")).unwrap();
    let jwk = workload.public_jwk();
    let point = BASE64_URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    // An Ed25519 public key as SubjectPublicKeyInfo (RFC 8410), up to the key itself.
    let head = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
    let key = BASE64_STANDARD.encode([&head[..], &point].concat());
    let key = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
    bao.root("sys/auth/k8s", json!({"type": "jwt"}));
    bao.root(
        "auth/k8s/config",
        json!({"jwt_validation_pubkeys": [key],
        "jwt_supported_algs": ["EdDSA"], "bound_issuer": "https://cluster"}),
    );
    for (name, value) in [
        ("role_type", json!("jwt")),
        ("user_claim", json!("sub")),
        ("bound_audiences", json!(["openbao"])),
        ("bound_subject", json!("custody")),
        ("token_policies", json!(["custody"])),
    ] {
        role[name] = value;
    }
    bao.root("auth/k8s/role/custody", role);
    move |subject| {
        let claims = json!({"iss": "https://cluster", "aud": "openbao", "sub": subject,
            "iat": now(), "exp": now() + 600});
        workload.sign(&claims).unwrap()
    }
}

#[tokio::test]
async fn a_jwt_logs_custody_in() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "v"}));
    let jwt = jwt_logins(&bao, json!({}));
    let file = bao.file("jwt", &jwt("somebody"));
    let auth = json!({"jwt": {"role": "custody", "jwt_file": file, "mount": "k8s"}});
    let resolver = resolver(&format!("{}{KEYS}", bao.backend_with(auth, Value::Null)));
    assert_eq!(headers(&resolver, "llm").await, Err("backend_denied".into()));
    // A projected token changes on disk.
    bao.file("jwt", &jwt("custody"));
    let good = Ok(pair("authorization", "Bearer v"));
    until(async || headers(&resolver, "llm").await == good).await;
}

#[tokio::test]
async fn a_namespace_is_a_world_of_its_own() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "outside"}));
    bao.root("sys/namespaces/team", json!({}));
    for (path, body) in [
        ("sys/mounts/kv", json!({"type": "kv-v2"})),
        ("kv/data/app/llm", json!({"data": {"key": "inside"}})),
        (
            "sys/policies/acl/custody",
            json!({"policy":
            "path \"kv/data/app/*\" { capabilities = [\"read\"] }"}),
        ),
    ] {
        bao.root(&format!("team/{path}"), body);
    }
    let made = bao.root("team/auth/token/create", json!({"policies": ["custody"], "ttl": "10m"}));
    let file = bao.file("token", made["auth"]["client_token"].as_str().unwrap());
    let auth = json!({"token_file": file});
    let inside = bao.backend_with(auth.clone(), json!({"namespace": "team"}));
    let inside = resolver(&format!("{inside}{KEYS}"));
    assert_eq!(headers(&inside, "llm").await, Ok(pair("authorization", "Bearer inside")));
    let outside = resolver(&format!("{}{KEYS}", bao.backend_with(auth, Value::Null)));
    assert_eq!(headers(&outside, "llm").await, Err("backend_denied".into()));
}

#[tokio::test]
async fn a_server_of_another_ca_is_not_there() {
    let (bao, other) = (Bao::start(Storage::Memory), Bao::start(Storage::Memory));
    bao.kv("app/llm", json!({"key": "v"}));
    let backend = bao.backend_with(bao.approle(), json!({"ca": other.server.ca()}));
    let unresolved = resolve(&resolver(&format!("{backend}{KEYS}")), "llm", None).await;
    let fault = &unresolved.err().unwrap().failures[0].fault;
    assert!(matches!(fault, BackendFault::Down(text) if text.contains("certificate")), "{fault}");
    assert_eq!(bao.calls("auth/approle/login"), 0);
}

#[tokio::test]
async fn a_leased_user_of_a_database_ends_with_our_lease() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(folder.path()).unwrap();
    postgres.create_database("shop").unwrap();
    let bao = Bao::start(Storage::Memory);
    bao.server.lease_users_of(&postgres, "shop", "app", Duration::from_secs(120)).unwrap();
    let sections = "credentials:
  db: {primary: {backend: bao, dynamic: {path: database/creds/app}, type: basic}}
  odd: {primary: {backend: bao, dynamic: {path: database/creds/app}, field: no-such}}\n";
    let resolver = resolver(&format!("{}{sections}", bao.backend()));
    let answered = resolve(&resolver, "db", None).await.ok().unwrap();
    let left = answered.expires_at - now();
    assert!((60..=120).contains(&left), "{left}");
    let Credential::Basic { user, password } = &answered.resolved.credential else {
        panic!("another type");
    };
    let password = std::str::from_utf8(password.expose()).unwrap();
    let log_in = || postgres.sql_as(user, password, "shop", "SELECT current_user");
    assert_eq!(log_in().unwrap().trim_end(), user);
    resolver.revoke("bao", answered.resolved.revocation.as_deref().unwrap()).await;
    until(async || log_in().is_err()).await;
    // Revoking again, or something that never was, is nobody's trouble.
    resolver.revoke("bao", "database/creds/app/no-such").await;
    // A user that could not be handed on does not stay.
    let users = || postgres.sql("shop", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'");
    let before = users().unwrap();
    assert_eq!(headers(&resolver, "odd").await, Err("backend_denied".into()));
    until(async || users().unwrap() == before).await;
}

const CANARY: &str = "canary-0b1d5a7c+/e2";

/// The whole of custody, and a request for what OpenBao keeps.
fn whole(bao: &Bao) -> (Home, Value) {
    bao.kv("app/llm", json!({"key": CANARY}));
    let home = Home::bare(Store::Sqlite);
    home.grants(
        "- {handle: llm, destinations: [api.github.com], claims: {team: [build]}, methods: [GET]}",
    );
    home.append(&format!("{}{KEYS}", bao.backend()));
    let mut request = home.request();
    request["handle"] = "llm".into();
    (home, request)
}

/// A certificate that is an edge's gets no further than what the session itself is good for.
#[tokio::test]
async fn what_custody_refuses_openbao_never_sees() {
    let bao = Bao::start(Storage::Memory);
    let (home, request) = whole(&bao);
    let running = home.serve();
    let with = |name: &str, value: Value| {
        let mut request = request.clone();
        request[name] = value;
        request
    };
    let other_key = session::mint::SigningKey::generate(session::Algorithm::EdDsa, Some("k1"));
    let forged = other_key.unwrap().sign(&home.claims()).unwrap();
    let mut claims = home.claims();
    (claims["iat"], claims["exp"]) = ((now() - 120).into(), (now() - 60).into());
    let expired = home.key.sign(&claims).unwrap();
    let (foreign, sales) =
        (home.token_with("aud", "elsewhere".into()), home.token_with("team", "sales".into()));
    for (session, code) in
        [(forged, "session_signature"), (expired, "session_expired"), (foreign, "session_audience")]
    {
        assert_eq!(home.lease(&running, &with("session", session.into())).await.status, 401);
        let page = plain_get(running.health, "/metrics").await.text();
        let counted = format!("sessions_refused_total{{code=\"{code}\"}} 1\n");
        assert!(page.contains(&counted), "{code}\n{page}");
    }
    for (field, value, reason) in [
        ("session", sales, "claims"),
        ("destination", "evil.example:443".to_owned(), "destination"),
        ("handle", "other".to_owned(), "handle"),
        ("method", "DELETE".to_owned(), "method"),
        ("binding", "single_use".to_owned(), "binding"),
    ] {
        assert_eq!(home.lease(&running, &with(field, value.into())).await.status, 403);
        assert_eq!(home.records().pop().unwrap()["reason"], reason);
    }
    assert_eq!(bao.accesses(), 0);
    assert_eq!(bao.calls("auth/approle/login"), 0, "not even a login");
    assert_eq!(home.lease(&running, &request).await.status, 200, "without the change");
    assert_eq!(bao.accesses(), 1);
}

#[tokio::test]
async fn what_custody_leases_is_nowhere_else() {
    let bao = Bao::start(Storage::Memory);
    let (home, request) = whole(&bao);
    let running = home.serve();
    let answer = home.lease(&running, &request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["headers"][0]["value"], format!("Bearer {CANARY}"));
    // OpenBao goes away: unavailable, and nothing is cached.
    bao.server.seal().unwrap();
    assert_eq!(home.lease(&running, &request).await.status, 503);
    let last = home.records().pop().unwrap();
    assert_eq!((&last["code"], &last["reason"]), (&json!("unavailable"), &json!("backend_down")));
    let log = std::sync::Arc::clone(&running.log);
    assert_eq!(running.stop(), 0);
    let mut seen = vec![("log".to_owned(), log.lock().unwrap().clone().into_bytes())];
    for entry in std::fs::read_dir(home.path("")).unwrap() {
        let path = entry.unwrap().path();
        seen.push((path.display().to_string(), std::fs::read(path).unwrap()));
    }
    let secret_id = std::fs::read_to_string(bao.path("secret-id")).unwrap();
    for (what, bytes) in &seen {
        for secret in [CANARY, &secret_id] {
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "a secret in {what}");
        }
    }
}

#[tokio::test]
async fn the_backup_answers_while_openbao_is_sealed() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "first"}));
    let home = Home::bare(Store::Sqlite);
    home.put("llm", &[], "second");
    home.grants("- {handle: llm, destinations: [api.github.com], claims: {team: [build]}}");
    let credentials = KEYS.replace("key}}", "key}, backup: {backend: sealed}}");
    home.append(&format!("{}{credentials}", bao.backend()));
    let running = home.serve();
    let mut request = home.request();
    request["handle"] = "llm".into();
    for (sealed, value) in [(false, "Bearer first"), (true, "Bearer second")] {
        if sealed {
            bao.server.seal().unwrap();
        }
        let answer = home.lease(&running, &request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["headers"][0]["value"], value);
    }
}
