//! The texts `custody init` writes and prints.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct Wishes {
    pub folder: PathBuf,
    pub issuer: String,
    pub audience: String,
    /// The control plane's public keys, if they are at hand.
    pub jwks: Option<PathBuf>,
    pub edge_listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub health_listen: SocketAddr,
    /// Further names and addresses the server certificate shall have.
    pub names: Vec<String>,
}

/// The configuration, with comments.
pub fn config(wishes: &Wishes) -> String {
    let Wishes { issuer, audience, edge_listen, admin_listen, health_listen, .. } = wishes;
    let (issuer, audience) = (quoted(issuer), quoted(audience));
    format!(
        r#"# Configuration of custody. Relative paths are relative to this file's folder.
# Check it with:  custody check --config custody.yaml

# Where the edge (Envoy) asks for leases. Without a client certificate of client_ca it is refused.
edge:
  listen: "{edge_listen}"
  tls:
    certificate: server.pem
    key: server.key
    client_ca: ca.pem

# Where operators revoke, throw the kill switch and look after credentials. Always with a client
# certificate of client_ca, which is another CA than the edges'.
admin:
  listen: "{admin_listen}"
  tls:
    certificate: server.pem
    key: server.key
    client_ca: operator-ca.pem

# Where workers store and fetch credentials of their own; see docs/configuration.md.
# workers:
#   listen: "127.0.0.1:8446"
#   tls: {{certificate: server.pem, key: server.key, client_ca: worker-ca.pem}}
#   capabilities: {{issuer: "https://control-plane.example", keys: {{jwks_file: capabilities.json}}}}

# /healthz and /metrics, plain HTTP.
health:
  listen: "{health_listen}"

# Whose Session JWTs are believed. Custody verifies each one itself.
session:
  issuer: {issuer}
  audience: {audience}
  keys:
    jwks_file: jwks.json
  leeway: 30s
  idle: 15m         # a session that is not in use for so long has ended; or off
  absolute: off     # so long after its auth_time, as in 12h; or off

# Credentials, each sealed under a key derived from root.key. Back the two up apart from each other.
store:
  path: custody.db  # or postgres: {{url: postgres://custody@db.internal/custody, password_file: f, ca: f}}
  root_key: root.key

# Who was given which lease, and who was not. Check it with:  custody audit verify .
audit:
  path: audit.jsonl

# Which sessions may lease which credential for which destinations. What no grant names is denied.
grants: []
#  - handle: github-ci                     # as in:  custody cred put github-ci
#    destinations: [api.github.com]        # also "*.example.com:8443"; port 443 if none is named
#    claims: {{team: [build]}}               # every claim named must have one of its values
#    methods: [GET, HEAD]                  # optional; without it every method
#    ttl: 5m                               # optional; at most 15m
#    binding: session                      # optional; or single_use, a lease an operation; or any
#    purpose: release                      # optional; a word for the audit log
#    narrow: {{scopes: [repo:read]}}         # optional; what of the credential is given away

# Who is told when a backend fails, beside the audit log.
# notify: {{webhook: {{url: "https://alerts.example/hook", secret: {{handle: notify-hmac}}}}}}

# How much is done for one session, for one handle, and at once. These are the defaults.
# limits: {{per_session: 600/m, per_handle: 60000/m, concurrent: 1024, pollers: 1024}}
"#
    )
}

/// What to do now, for people.
pub fn next_steps(wishes: &Wishes, config: &Path) -> String {
    let folder = wishes.folder.display();
    let config = config.display();
    let mut steps = Vec::new();
    if wishes.jwks.is_none() {
        let Wishes { issuer, audience, .. } = wishes;
        steps.push(format!(
            "Put the public keys of your control plane into {folder}/jwks.json. To try it without \
             one:\n       session-jwt keygen --out session-key.pem\n       session-jwt jwks \
             session-key.pem > {folder}/jwks.json\n     and mint tokens with\n       session-jwt \
             mint --key session-key.pem --iss {issuer} --aud {audience} --sub me --claim team=build"
        ));
    }
    steps.push(format!(
        "Store a credential; it is read from standard input:\n       \
         custody cred put github-ci --config {config} < token.txt"
    ));
    steps.push(format!(
        "Grant it: edit `grants` in {config}, then\n       custody check --config {config}"
    ));
    steps.push(format!("Serve:\n       custody serve --config {config}"));
    steps.push(format!(
        "Look at it, and revoke what must end:\n       custody status --config {config}"
    ));
    steps.push(format!(
        "Give the edge {folder}/edge-client.pem, {folder}/edge-client.key and {folder}/ca.pem; it \
         finds\n     custody at {} under the name custody.internal.",
        wishes.edge_listen
    ));
    let mut text = format!("Custody is set up in {folder}. Next:\n");
    for (at, step) in steps.iter().enumerate() {
        text.push_str(&format!("  {}. {step}\n", at + 1));
    }
    text.push_str(&format!(
        "Workers that keep credentials of their own here: uncomment `workers` in {config}, put the \
         public\nkeys of who issues their capability tokens into {folder}/capabilities.json, and give \
         them\n{folder}/worker.pem, {folder}/worker.key and {folder}/ca.pem.\n\
         Keep {folder}/root.key, {folder}/ca.key, {folder}/operator-ca.key and \
         {folder}/worker-ca.key to\nyourself: the first opens the store, the others make edges, \
         operators and workers.\n"
    ));
    text
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
