//! `type: openbao`: an OpenBao server, and what is taken from it.

use crate::config::fault::Faults;
use custody_backends::openbao::{Fields, OpenBao, OpenBaoAuth, OpenBaoSource, SecretPath};
use custody_base::credential::CredentialType;
use custody_base::outbound::{Endpoint, Identity, Reach};
use lease::HeaderName;
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOpenBao {
    address: String,
    ca: Option<PathBuf>,
    identity: Option<RawIdentity>,
    namespace: Option<String>,
    auth: RawAuth,
    timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAuth {
    approle: Option<RawAppRole>,
    jwt: Option<RawJwt>,
    token_file: Option<PathBuf>,
    #[serde(default)]
    wrapped: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAppRole {
    mount: Option<String>,
    role_id_file: PathBuf,
    secret_id_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJwt {
    mount: Option<String>,
    role: String,
    jwt_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    kv: Option<RawKv>,
    dynamic: Option<RawDynamic>,
    #[serde(rename = "type", default = "bearer")]
    kind: CredentialType,
    field: Option<String>,
    user_field: Option<String>,
    certificate_field: Option<String>,
    principal_field: Option<String>,
    header: Option<String>,
    headers: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKv {
    mount: String,
    path: String,
    version: Option<u64>,
    engine: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDynamic {
    path: String,
}

fn bearer() -> CredentialType {
    CredentialType::Bearer
}

pub(super) fn read(
    path: &str,
    value: Value,
    folder: &Path,
    faults: &mut Faults,
) -> Option<OpenBao> {
    let raw: RawOpenBao = faults.section(path, Some(value))?;
    let address = Endpoint::parse(&raw.address)
        .map_err(|fault| faults.add(format!("{path}.address"), fault))
        .ok();
    let mut reach = Reach {
        ca: raw.ca.map(|ca| folder.join(ca)),
        identity: raw.identity.map(|RawIdentity { certificate, key }| Identity {
            certificate: folder.join(certificate),
            key: folder.join(key),
        }),
        total: Duration::from_secs(5),
        ..Reach::default()
    };
    if let Some(text) = raw.timeout {
        let seconds = faults.seconds(&format!("{path}.timeout"), &text, 1..=30)?;
        reach.total = Duration::from_secs(seconds);
    }
    if let Some(namespace) = &raw.namespace {
        check_path(&format!("{path}.namespace"), namespace, faults);
    }
    let auth = read_auth(&format!("{path}.auth"), raw.auth, folder, faults);
    Some(OpenBao { address: address?, reach, namespace: raw.namespace, auth: auth? })
}

fn read_auth(path: &str, raw: RawAuth, folder: &Path, faults: &mut Faults) -> Option<OpenBaoAuth> {
    let is_wrapped = raw.wrapped;
    if is_wrapped && raw.jwt.is_some() {
        faults.add(format!("{path}.wrapped"), "goes with approle and token_file only");
    }
    let auth = match (raw.approle, raw.jwt, raw.token_file) {
        (Some(raw), None, None) => OpenBaoAuth::AppRole {
            mount: raw.mount.unwrap_or_else(|| "approle".into()),
            role_id_file: folder.join(raw.role_id_file),
            secret_id_file: folder.join(raw.secret_id_file),
            is_wrapped,
        },
        (None, Some(raw), None) => OpenBaoAuth::Jwt {
            mount: raw.mount.unwrap_or_else(|| "jwt".into()),
            role: raw.role,
            jwt_file: folder.join(raw.jwt_file),
        },
        (None, None, Some(file)) => OpenBaoAuth::TokenFile { path: folder.join(file), is_wrapped },
        _ => {
            faults.add(path, "has one of approle, jwt and token_file");
            return None;
        }
    };
    match &auth {
        OpenBaoAuth::AppRole { mount, .. } => {
            check_path(&format!("{path}.approle.mount"), mount, faults);
        }
        OpenBaoAuth::Jwt { mount, .. } => check_path(&format!("{path}.jwt.mount"), mount, faults),
        OpenBaoAuth::TokenFile { .. } => {}
    }
    Some(auth)
}

pub(super) fn read_source(path: &str, value: Value, faults: &mut Faults) -> Option<OpenBaoSource> {
    let mut raw: RawSource = faults.section(path, Some(value))?;
    let at = match (raw.kv.take(), raw.dynamic.take()) {
        (Some(RawKv { mount, path: below, version, engine }), None) => {
            check_path(&format!("{path}.kv.mount"), &mount, faults);
            check_path(&format!("{path}.kv.path"), &below, faults);
            read_kv_place(&format!("{path}.kv"), (mount, below), (engine, version), faults)
        }
        (None, Some(RawDynamic { path: below })) => {
            check_path(&format!("{path}.dynamic.path"), &below, faults);
            Some(SecretPath::Dynamic { path: below })
        }
        _ => {
            faults.add(path, "has either kv or dynamic");
            None
        }
    };
    let fields = read_fields(path, raw, faults);
    Some(OpenBaoSource { at: at?, fields: fields? })
}

fn read_kv_place(
    path: &str,
    (mount, below): (String, String),
    (engine, version): (Option<u64>, Option<u64>),
    faults: &mut Faults,
) -> Option<SecretPath> {
    match (engine.unwrap_or(2), version) {
        (1, None) => Some(SecretPath::KvOne { mount, path: below }),
        (2, version) => Some(SecretPath::Kv { mount, path: below, version }),
        (1, Some(_)) => {
            faults.add(
                format!("{path}.version"),
                "goes with engine: 2 only; engine 1 keeps one value",
            );
            None
        }
        _ => {
            faults.add(format!("{path}.engine"), "is the version of the KV engine, 1 or 2");
            None
        }
    }
}

fn read_fields(path: &str, raw: RawSource, faults: &mut Faults) -> Option<Fields> {
    use CredentialType as Of;
    let before = faults.0.len();
    for (name, given, of) in [
        ("field", raw.field.is_some(), &Of::ALL[..]),
        ("user_field", raw.user_field.is_some(), &[Of::Basic]),
        ("certificate_field", raw.certificate_field.is_some(), &[Of::SshCertificate]),
        ("principal_field", raw.principal_field.is_some(), &[Of::KerberosTicket]),
        ("header", raw.header.is_some(), &[Of::ApiKey]),
        ("headers", raw.headers.is_some(), &[Of::HeaderSet]),
    ] {
        let stray = name == "field" && raw.kind == Of::HeaderSet;
        if given && (stray || !of.contains(&raw.kind)) {
            let kind = raw.kind;
            faults.add(format!("{path}.{name}"), format!("does not go with type {kind}"));
        }
    }
    let or = |field: Option<String>, usual: &str| field.unwrap_or_else(|| usual.to_owned());
    let fields = match raw.kind {
        Of::Bearer => Fields::Bearer { token: or(raw.field, "token") },
        Of::Basic => Fields::Basic {
            user: or(raw.user_field, "username"),
            password: or(raw.field, "password"),
        },
        Of::ApiKey => {
            let header = raw.header.as_deref();
            Fields::ApiKey {
                header: read_header(&format!("{path}.header"), header, faults)?,
                key: or(raw.field, "key"),
            }
        }
        Of::HeaderSet => {
            let headers = raw.headers.unwrap_or_default();
            if headers.is_empty() {
                faults.add(format!("{path}.headers"), "names each header and its field");
            }
            let pair = |(name, field): (String, String)| {
                let at = format!("{path}.headers.{name}");
                Some((read_header(&at, Some(&name), faults)?, field))
            };
            Fields::HeaderSet(headers.into_iter().filter_map(pair).collect())
        }
        Of::SshCertificate => Fields::SshCertificate {
            certificate: or(raw.certificate_field, "signed_key"),
            private_key: or(raw.field, "private_key"),
        },
        Of::KerberosTicket => Fields::KerberosTicket {
            principal: or(raw.principal_field, "principal"),
            ccache: or(raw.field, "ccache"),
        },
        Of::Opaque => Fields::Opaque { bytes: or(raw.field, "value") },
    };
    (faults.0.len() == before).then_some(fields)
}

fn read_header(path: &str, text: Option<&str>, faults: &mut Faults) -> Option<HeaderName> {
    let Some(text) = text else {
        faults.add(path, "is missing");
        return None;
    };
    HeaderName::parse(text).map_err(|fault| faults.add(path, fault)).ok()
}

/// A path below `/v1/`, as a person writes it.
fn check_path(path: &str, text: &str, faults: &mut Faults) {
    let fine = |segment: &str| {
        !segment.is_empty()
            && segment != "."
            && segment != ".."
            && !segment.contains(|c: char| c.is_control() || c.is_whitespace() || "?#%".contains(c))
    };
    if !text.split('/').all(fine) {
        faults.add(path, "is a path without a slash in front or behind, as in secret/team-a");
    }
}
