//! A real OpenBao, set up as an operator would for a custody.

use custody::config::Config;
use custody_audit::{AuditLog, recovery};
use custody_backends::assembly::{Own, assemble};
use custody_backends::resolver::{Answered, InMemory, Resolver, Unresolved};
use custody_backends::{
    BackendFault, CredentialBackend, CredentialRequest, LongLived, MintingStores, Restriction,
    StoredSecret,
};
use custody_base::actor::Actor;
use custody_base::credential::{CredentialType, Resolved};
use custody_ledger::{Missing, SqliteLedger};
use futures_util::FutureExt;
use lease::{Handle, Secret};
use serde_json::{Value, json};
use stack::openbao::{OpenBao, Storage};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What custody's policy lets it do.
const POLICY: &str = r#"
path "kv/data/app/*" { capabilities = ["read"] }
path "kv1/app/*" { capabilities = ["read"] }
path "database/creds/app" { capabilities = ["read"] }
path "transit/keys/leasehold" { capabilities = ["read"] }
path "transit/encrypt/leasehold" { capabilities = ["update"] }
path "transit/decrypt/leasehold" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"#;

/// A server with a KV store at `kv/`, the policy `custody`, and an AppRole of that name.
pub struct Bao {
    pub server: OpenBao,
    folder: tempfile::TempDir,
}

impl Bao {
    pub fn start(storage: Storage) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = OpenBao::start(folder.path(), storage).unwrap();
        let bao = Self { server, folder };
        bao.root("sys/mounts/kv", json!({"type": "kv-v2"}));
        bao.root("sys/auth/approle", json!({"type": "approle"}));
        bao.root("sys/policies/acl/custody", json!({"policy": POLICY}));
        bao.role(json!({"token_ttl": "10m"}));
        bao
    }

    pub fn root(&self, path: &str, body: Value) -> Value {
        self.server.root("POST", path, &body).unwrap()
    }

    /// The AppRole, with these settings beside its policy; and its files.
    pub fn role(&self, mut settings: Value) {
        settings["token_policies"] = json!(["custody"]);
        self.root("auth/approle/role/custody", settings);
        let id =
            self.server.root("GET", "auth/approle/role/custody/role-id", &Value::Null).unwrap();
        let secret = self.root("auth/approle/role/custody/secret-id", json!({}));
        self.file("role-id", id["data"]["role_id"].as_str().unwrap());
        self.file("secret-id", secret["data"]["secret_id"].as_str().unwrap());
    }

    /// A value below `kv/`.
    pub fn kv(&self, path: &str, data: Value) {
        self.root(&format!("kv/data/{path}"), json!({"data": data}));
    }

    /// What OpenBao answers to a write here, response-wrapped: the wrapping token.
    pub fn wrapped(&self, path: &str, fields: &[&str]) -> String {
        let mut bao = std::process::Command::new(self.server.binary().path());
        bao.args(["write", "-wrap-ttl=300s", "-field=wrapping_token", "-f", path]).args(fields);
        bao.env("BAO_ADDR", self.server.url()).env("BAO_CACERT", self.server.ca());
        bao.env("BAO_TOKEN", self.server.root_token().expose()).env("HOME", self.folder.path());
        let output = bao.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A file that its owner alone may read.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let fresh = path.with_extension("new");
        fs::write(&fresh, text).unwrap();
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(fresh, &path).unwrap();
        path
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The settings of a backend of type `openbao`, logged in by this; `auth` as JSON.
    pub fn settings(&self, auth: Value, more: Value) -> Value {
        let mut bao = json!({"type": "openbao", "address": self.server.url(),
            "ca": self.server.ca(), "auth": auth});
        for (name, value) in more.as_object().into_iter().flatten() {
            bao[name] = value.clone();
        }
        bao
    }

    /// `backends: {bao: ...}`
    pub fn backend_with(&self, auth: Value, more: Value) -> String {
        format!("backends: {}\n", json!({"bao": self.settings(auth, more)}))
    }

    pub fn backend(&self) -> String {
        self.backend_with(self.approle(), Value::Null)
    }

    pub fn approle(&self) -> Value {
        json!({"approle": {"role_id_file": self.path("role-id"),
            "secret_id_file": self.path("secret-id")}})
    }

    /// How often custody asked for a value, a credential or a key: whatever OpenBao audited, less
    /// logins and the care of tokens, and what root did.
    pub fn accesses(&self) -> usize {
        let ours = |record: &Value| {
            let path = record["request"]["path"].as_str().unwrap_or_default();
            let policies = &record["auth"]["token_policies"];
            let root = policies.as_array().is_some_and(|all| all.contains(&json!("root")));
            record["type"] == "request"
                && !path.starts_with("auth/")
                && !path.starts_with("sys/")
                && !root
        };
        self.audited().iter().filter(|record| ours(record)).count()
    }

    /// Requests for this path that OpenBao audited, from whomever.
    pub fn calls(&self, path: &str) -> usize {
        let of = |record: &&Value| record["type"] == "request" && record["request"]["path"] == path;
        self.audited().iter().filter(of).count()
    }

    fn audited(&self) -> Vec<Value> {
        let lines = self.server.audited().unwrap();
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// No sealed store at all.
struct NoStore;

#[async_trait::async_trait]
impl CredentialBackend for NoStore {
    fn name(&self) -> &str {
        "sealed"
    }

    fn is_capable(&self, _: &CredentialRequest<'_>) -> bool {
        false
    }

    async fn resolve(&self, _: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        Err(BackendFault::Absent)
    }

    async fn revoke(&self, _: &str) {}
}

#[async_trait::async_trait]
impl LongLived for NoStore {
    async fn read(&self, _: &Actor, _: &Handle) -> Result<StoredSecret, BackendFault> {
        Err(BackendFault::Absent)
    }

    async fn origin(&self, _: &Actor, _: &Handle) -> Result<Option<u64>, BackendFault> {
        Ok(None)
    }

    async fn replace(
        &self,
        _: &Actor,
        _: &Handle,
        _: u64,
        _: &Secret,
    ) -> Result<bool, BackendFault> {
        Err(BackendFault::Absent)
    }
}

/// The resolver of these sections, without a server around it.
pub fn resolver(sections: &str) -> Resolver {
    let key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let text = format!(
        "edge: {{listen: '127.0.0.1:0', plaintext: loopback-only}}
health: {{listen: '127.0.0.1:0'}}
session: {{issuer: i, audience: a, keys: {{jwks: {{keys: [{{kty: OKP, crv: Ed25519, kid: k, x: {key}}}]}}}}}}
store: {{path: db, root_key: key}}
audit: {{path: audit.jsonl}}
{sections}"
    );
    let config = match Config::parse(&text, Path::new("/nowhere")) {
        Ok(config) => config,
        Err(faults) => panic!("{faults:?}"),
    };
    let none = Arc::new(NoStore);
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::open(&folder.path().join("custody.db"), Missing::Create).unwrap();
    let audit = recovery::open(&folder.path().join("audit")).unwrap();
    // A new log has nothing to wait for.
    let (audit, _) = AuditLog::start(audit).now_or_never().unwrap().unwrap();
    let minting = MintingStores { secrets: none.clone(), ledger: Arc::new(ledger), audit };
    let own = Own { sealed: none, minting };
    assemble(&config.backends, &config.credentials, own).unwrap()
}

pub async fn resolve(
    resolver: &Resolver,
    handle: &str,
    kind: Option<CredentialType>,
) -> Result<Answered, Unresolved> {
    let actor: Actor = "default".parse().unwrap();
    let handle = handle.parse().unwrap();
    let (restriction, until) = (&Restriction::default(), super::now() + 300);
    let asked =
        CredentialRequest { kind, ..CredentialRequest::of(&actor, &handle, restriction, until) };
    resolver.resolve(&asked, &InMemory::default()).await
}

/// The headers of it, as text.
pub async fn headers(resolver: &Resolver, handle: &str) -> Result<Vec<(String, String)>, String> {
    let answered = resolve(resolver, handle, None).await.map_err(|u| u.code().to_owned())?;
    let headers = answered.resolved.credential.headers().unwrap();
    let text = |h: &lease::LeaseHeader| {
        let value = String::from_utf8(h.value().expose().to_vec()).unwrap();
        (h.name.as_str().to_owned(), value)
    };
    Ok(headers.iter().map(text).collect())
}
