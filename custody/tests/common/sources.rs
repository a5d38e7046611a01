//! A home whose credentials come from everywhere: the sealed store, a real OpenBao, an authorization
//! server that checks what it is asked.

use super::Home;
use super::authority::{Authority, CLIENT, CLIENT_SECRET};
use super::bao::Bao;
use super::peer::Peer;
use super::stores::Store;
use serde_json::{Value, json};
use stack::openbao::Storage;

/// The handles. Their values are canaries that begin alike and end otherwise.
pub const SEALED: &str = "sealed";
pub const KV: &str = "kv";
pub const OAUTH: &str = "oauth";

pub struct Sources {
    pub home: Home,
    pub bao: Bao,
    pub authority: Authority,
    _peer: Peer,
}

impl Sources {
    pub async fn start() -> Self {
        let (home, bao) = (Home::bare(Store::Sqlite), Bao::start(Storage::Memory));
        let (authority, peer) = Authority::start().await;
        home.put(SEALED, &[], &canary(SEALED));
        home.put("corp-client", &[], CLIENT_SECRET);
        bao.kv("app/one", json!({"token": canary(KV)}));
        authority.inner().change = json!({"access_token": canary(OAUTH)});
        let corp = json!({"type": "oauth2", "token_endpoint": format!("{}/token", peer.url()),
            "ca": peer.ca(), "client_id": CLIENT, "client_secret": {"handle": "corp-client"}});
        let backends = json!({"bao": bao.settings(bao.approle(), Value::Null), "corp": corp});
        home.append(&format!(
            "backends: {backends}
credentials:
  {KV}: {{primary: {{backend: bao, kv: {{mount: kv, path: app/one}}, field: token}}}}
  {OAUTH}: {{primary: {{backend: corp, grant: client_credentials}}}}"
        ));
        let grant = |handle| {
            json!({"handle": handle, "destinations": ["api.github.com"],
            "claims": {"team": ["build"]}})
        };
        home.edit("grants: []", &format!("grants: {}", json!([SEALED, KV, OAUTH].map(grant))));
        Self { home, bao, authority, _peer: peer }
    }

    /// A lease request of a session of the team `build`.
    pub fn request(&self, handle: &str) -> Value {
        let mut request = self.home.request();
        request["handle"] = handle.into();
        request
    }
}

/// The value behind a handle.
pub fn canary(handle: &str) -> String {
    format!("canary-5Zt+k/8yRw_c27be1f094-of-{handle}")
}
