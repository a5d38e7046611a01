//! One handle's credential at OpenBao: a KV value, or what a dynamic engine makes.

use super::answer::{Field, FieldMap, KvRead, Leased};
use super::api::{NOTHING, down};
use super::client::Client;
use super::settings::{Fields, OpenBaoSource, SecretPath};
use crate::{BackendFault, CredentialBackend, CredentialRequest};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use custody_base::clock;
use custody_base::credential::{Credential, Resolved};
use custody_base::outbound::Method;
use lease::{Secret, UnixSeconds};
use serde_json::json;
use std::sync::Arc;

/// A place at a server.
pub struct Source {
    client: Arc<Client>,
    at: SecretPath,
    fields: Fields,
}

// === impl Source ===

impl Source {
    pub fn new(client: Arc<Client>, settings: &OpenBaoSource) -> Self {
        let OpenBaoSource { at, fields } = settings.clone();
        Self { client, at, fields }
    }

    async fn read_kv(
        &self,
        mount: &str,
        below: &str,
        version: Option<u64>,
    ) -> Result<Resolved, BackendFault> {
        let path = format!("{mount}/data/{below}");
        let version = version.map(|version| version.to_string());
        let query: Vec<_> = version.iter().map(|version| ("version", version.as_str())).collect();
        let granted = self.client.call(Method::GET, &path, &query, NOTHING).await?;
        let read: KvRead = granted.answer.json().map_err(|fault| down(&path, &fault))?;
        let fields = read
            .data
            .data
            .ok_or_else(|| BackendFault::Denied(format!("{path}: this version was deleted")))?;
        self.resolved(fields, None, None)
    }

    /// A KV store of version 1 answers with the fields, and with a lease that means nothing.
    async fn read_kv_one(&self, mount: &str, below: &str) -> Result<Resolved, BackendFault> {
        let path = format!("{mount}/{below}");
        let granted = self.client.call(Method::GET, &path, &[], NOTHING).await?;
        let read: Leased = granted.answer.json().map_err(|fault| down(&path, &fault))?;
        let fields = read.data.ok_or(BackendFault::Unfit("its answer has no fields"))?;
        self.resolved(fields, None, None)
    }

    async fn make(&self, path: &str) -> Result<Resolved, BackendFault> {
        let granted = self.client.call(Method::GET, path, &[], NOTHING).await?;
        // Its clock is not ours; the lease began after we asked, so this is the earlier end.
        let now = clock::now();
        let leased: Leased = granted.answer.json().map_err(|fault| down(path, &fault))?;
        if leased.lease_id.is_empty() || leased.lease_duration == 0 {
            return Err(BackendFault::Unfit("its answer has no lease; is it a dynamic engine?"));
        }
        // What a token was leased ends with the token.
        let seconds = granted.token.seconds_left().unwrap_or(u64::MAX).min(leased.lease_duration);
        let end = now.saturating_add(seconds);
        let made = match leased.data {
            Some(fields) => self.resolved(fields, Some(end), Some(leased.lease_id.clone())),
            None => Err(BackendFault::Unfit("its answer has no fields")),
        };
        if made.is_err() {
            // Nobody will ever use it.
            self.revoke(&leased.lease_id).await;
        }
        made
    }

    fn resolved(
        &self,
        fields: FieldMap,
        expires_at: Option<UnixSeconds>,
        revocation: Option<String>,
    ) -> Result<Resolved, BackendFault> {
        let credential = credential(&self.fields, fields)?;
        let (target, scope, made_from) = Default::default();
        Ok(Resolved { credential, target, scope, expires_at, revocation, made_from })
    }
}

#[async_trait]
impl CredentialBackend for Source {
    fn name(&self) -> &str {
        self.client.name()
    }

    fn is_capable(&self, asked: &CredentialRequest<'_>) -> bool {
        let kind = self.fields.kind();
        asked.kind.map_or(kind.is_headers(), |asked| asked == kind)
    }

    async fn resolve(&self, asked: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        asked.restriction.refuse()?;
        match &self.at {
            SecretPath::KvOne { mount, path } => self.read_kv_one(mount, path).await,
            SecretPath::Kv { mount, path, version } => self.read_kv(mount, path, *version).await,
            SecretPath::Dynamic { path } => self.make(path).await,
        }
    }

    async fn revoke(&self, revocation: &str) {
        let body = json!({"lease_id": revocation});
        let revoked = self.client.call(Method::PUT, "sys/leases/revoke", &[], Some(&body)).await;
        match revoked {
            Ok(_) => tracing::info!(backend = self.name(), "revoked a lease at OpenBao"),
            Err(fault) => {
                tracing::warn!(backend = self.name(), %fault, "a lease was not revoked at OpenBao; \
                    it ends by itself");
            }
        }
    }
}

/// Picks the fields out of an answer; what is not picked is wiped.
fn credential(wanted: &Fields, mut fields: FieldMap) -> Result<Credential, BackendFault> {
    let mut take = |name: &str| match fields.remove(name) {
        Some(Field::Text(text)) => Ok(text),
        Some(Field::Other) => Err(BackendFault::Denied(format!("field {name} is not text"))),
        None => Err(BackendFault::Denied(format!("there is no field {name}"))),
    };
    Ok(match wanted {
        Fields::Bearer { token } => Credential::Bearer { token: take(token)? },
        Fields::Basic { user, password } => {
            Credential::Basic { user: text(take(user)?)?, password: take(password)? }
        }
        Fields::ApiKey { header, key } => {
            Credential::ApiKey { header: header.clone(), key: take(key)? }
        }
        Fields::HeaderSet(headers) => {
            let pair = |(header, field): &(_, String)| Ok((Clone::clone(header), take(field)?));
            Credential::HeaderSet {
                headers: headers.iter().map(pair).collect::<Result<_, BackendFault>>()?,
            }
        }
        Fields::SshCertificate { certificate, private_key } => Credential::SshCertificate {
            certificate: text(take(certificate)?)?,
            private_key: take(private_key)?,
        },
        Fields::KerberosTicket { principal, ccache } => Credential::KerberosTicket {
            principal: text(take(principal)?)?,
            ccache: bytes(&take(ccache)?)?,
        },
        Fields::Opaque { bytes } => Credential::Opaque { bytes: take(bytes)? },
    })
}

/// JSON strings are UTF-8.
fn text(secret: Secret) -> Result<String, BackendFault> {
    String::from_utf8(secret.expose().to_vec())
        .map_err(|_| BackendFault::Unfit("a field is not text"))
}

fn bytes(base64: &Secret) -> Result<Secret, BackendFault> {
    let fault = |_| BackendFault::Unfit("the field of the ticket cache is not base64");
    STANDARD.decode(base64.expose()).map(Secret::new).map_err(fault)
}
