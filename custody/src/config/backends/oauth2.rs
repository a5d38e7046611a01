//! `type: oauth2`: an authorization server, and what is asked of it.

use super::own_secret::{self, RawOwnSecret};
use crate::config::fault::Faults;
use custody_backends::oauth::{BasicEncoding, Client, ClientAuth, Endpoints, Grant, TokenRequest};
use custody_backends::settings::{OAuth2, OAuth2Place};
use custody_base::outbound::{Endpoint, Reach};
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOAuth2 {
    issuer: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    ca: Option<PathBuf>,
    timeout: Option<String>,
    client_id: String,
    #[serde(default)]
    auth_method: RawMethod,
    client_secret: Option<RawOwnSecret>,
    private_key: Option<RawOwnSecret>,
    key_id: Option<String>,
    basic_encoding: Option<BasicEncoding>,
    lifetime: Option<String>,
}

/// As RFC 7591 section 2 calls them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawMethod {
    #[default]
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    grant: RawGrant,
    refresh_token: Option<RawRefreshToken>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    audience: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawGrant {
    ClientCredentials,
    RefreshToken,
    TokenExchange,
}

/// Of the actor whose credential is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRefreshToken {
    handle: String,
}

pub(super) fn read(path: &str, value: Value, folder: &Path, faults: &mut Faults) -> Option<OAuth2> {
    let raw: RawOAuth2 = faults.section(path, Some(value))?;
    let endpoints = (raw.token_endpoint.as_deref(), raw.revocation_endpoint.as_deref());
    let place = read_place(path, raw.issuer.as_deref(), endpoints, faults);
    let encoding = read_encoding(path, &raw, faults);
    let reach = read_reach(path, raw.ca, raw.timeout, folder, faults);
    if raw.client_id.is_empty() {
        faults.add(format!("{path}.client_id"), "is empty");
    }
    let lifetime = match &raw.lifetime {
        None => Some(None),
        Some(text) => faults.seconds(&format!("{path}.lifetime"), text, 1..=24 * 3600).map(Some),
    };
    let secrets = (raw.client_secret.as_ref(), raw.private_key.as_ref());
    let auth = read_auth(path, (raw.auth_method, encoding), secrets, raw.key_id, faults);
    let client = Client { id: raw.client_id, auth: auth? };
    Some(OAuth2 { place: place?, reach: reach?, client, lifetime: lifetime? })
}

fn read_encoding(path: &str, raw: &RawOAuth2, faults: &mut Faults) -> BasicEncoding {
    let field = format!("{path}.basic_encoding");
    if raw.basic_encoding.is_some() && raw.auth_method != RawMethod::ClientSecretBasic {
        faults.add(&field, "goes with auth_method: client_secret_basic only");
    }
    let encoding = raw.basic_encoding.unwrap_or_default();
    // RFC 7617 section 2: the first colon ends the user name.
    let is_split = |c: char| c == ':' || c.is_control();
    if encoding == BasicEncoding::Plain && raw.client_id.contains(is_split) {
        faults.add(&field, "none cannot send a client_id with a colon or control character");
    }
    encoding
}

fn read_place(
    path: &str,
    issuer: Option<&str>,
    (token_endpoint, revocation): (Option<&str>, Option<&str>),
    faults: &mut Faults,
) -> Option<OAuth2Place> {
    if issuer.is_some() && revocation.is_some() {
        let what = "goes with token_endpoint; with issuer, its metadata says where it is";
        faults.add(format!("{path}.revocation_endpoint"), what);
    }
    let mut parse = |name: &str, text: &str| {
        let field = format!("{path}.{name}");
        Endpoint::parse(text).map_err(|fault| faults.add(field, fault)).ok()
    };
    match (issuer, token_endpoint) {
        (Some(issuer), None) => match Endpoints::discovered(issuer) {
            Ok(_) => Some(OAuth2Place::Issuer(issuer.to_owned())),
            Err(fault) => {
                faults.add(format!("{path}.issuer"), fault);
                None
            }
        },
        (None, Some(token)) => {
            let token = parse("token_endpoint", token);
            let revocation = revocation.map(|text| parse("revocation_endpoint", text));
            let revocation = revocation.map_or(Some(None), |parsed| parsed.map(Some));
            Some(OAuth2Place::TokenEndpoint { token: token?, revocation: revocation? })
        }
        _ => {
            faults.add(path, "has either issuer, whose metadata is asked for, or token_endpoint");
            None
        }
    }
}

/// `ca` and `timeout`, as every backend of this house has them.
pub(super) fn read_reach(
    path: &str,
    ca: Option<PathBuf>,
    timeout: Option<String>,
    folder: &Path,
    faults: &mut Faults,
) -> Option<Reach> {
    let total = match timeout {
        None => 5,
        Some(text) => faults.seconds(&format!("{path}.timeout"), &text, 1..=30)?,
    };
    let ca = ca.map(|ca| folder.join(ca));
    Some(Reach { ca, total: Duration::from_secs(total), ..Reach::default() })
}

fn read_auth(
    path: &str,
    (method, encoding): (RawMethod, BasicEncoding),
    secrets: (Option<&RawOwnSecret>, Option<&RawOwnSecret>),
    key_id: Option<String>,
    faults: &mut Faults,
) -> Option<ClientAuth> {
    if key_id.is_some() && method != RawMethod::PrivateKeyJwt {
        faults.add(format!("{path}.key_id"), "goes with auth_method: private_key_jwt only");
    }
    let own = |name: &str, raw, faults: &mut Faults| {
        own_secret::read(&format!("{path}.{name}"), raw, faults)
    };
    match (method, secrets) {
        (RawMethod::ClientSecretBasic, (Some(raw), None)) => {
            let (actor, secret) = own("client_secret", raw, faults)?;
            Some(ClientAuth::Basic { actor, secret, encoding })
        }
        (RawMethod::ClientSecretPost, (Some(raw), None)) => {
            let (actor, secret) = own("client_secret", raw, faults)?;
            Some(ClientAuth::Post { actor, secret })
        }
        (RawMethod::PrivateKeyJwt, (None, Some(raw))) => {
            let (actor, key) = own("private_key", raw, faults)?;
            Some(ClientAuth::PrivateKey { actor, key, key_id })
        }
        (RawMethod::None, (None, None)) => Some(ClientAuth::None),
        _ => {
            faults.add(
                format!("{path}.auth_method"),
                "client_secret_basic (the default) and client_secret_post take client_secret, \
                 private_key_jwt takes private_key, each {handle: NAME}; none takes neither",
            );
            None
        }
    }
}

pub(super) fn read_source(path: &str, value: Value, faults: &mut Faults) -> Option<TokenRequest> {
    let RawSource { grant, refresh_token, scopes, resources, audience } =
        faults.section(path, Some(value))?;
    for (at, scope) in scopes.iter().enumerate() {
        // RFC 6749 section 3.3.
        let fine = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
        if scope.is_empty() || !scope.bytes().all(fine) {
            faults.add(format!("{path}.scopes[{at}]"), "is one scope, without spaces and quotes");
        }
    }
    let grant = match (grant, refresh_token) {
        (RawGrant::ClientCredentials, None) => Grant::ClientCredentials,
        (RawGrant::TokenExchange, None) => Grant::TokenExchange,
        (RawGrant::RefreshToken, Some(RawRefreshToken { handle })) => {
            let handle = handle.parse();
            let field = format!("{path}.refresh_token.handle");
            Grant::RefreshToken { handle: handle.map_err(|error| faults.add(field, error)).ok()? }
        }
        _ => {
            faults.add(
                format!("{path}.refresh_token"),
                "is {handle: NAME}, and stands beside grant: refresh_token only",
            );
            return None;
        }
    };
    Some(TokenRequest { grant, scopes, resources, audience })
}
