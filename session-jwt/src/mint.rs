//! `session-jwt mint`: only tokens that the edge would take.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use session::{LIFETIME_DEFAULT, TOKEN_BYTES, UnixSeconds, mint};

use crate::cli::{MintArgs, Outcome};
use crate::{key_file, moment, printable};

/// Claims that have an argument of their own.
const OWN_ARGUMENT: [(&str, &str); 6] = [
    ("iss", "--iss"),
    ("aud", "--aud"),
    ("sub", "--sub"),
    ("jti", "--jti"),
    ("exp", "--ttl"),
    ("iat", "--at"),
];

pub fn run(arguments: &MintArgs) -> anyhow::Result<Outcome> {
    key_file::check_name(arguments.kid.as_deref())?;
    let claims = claims(arguments)?;
    let key = key_file::read(&arguments.key, arguments.kid.as_deref())?;
    let token = key.sign(&Value::Object(claims))?;
    if token.len() > TOKEN_BYTES {
        bail!("the token has {} bytes; over {TOKEN_BYTES} it is refused everywhere", token.len());
    }
    printable::line(&token)?;
    Ok(Outcome::Done)
}

fn claims(arguments: &MintArgs) -> anyhow::Result<Map<String, Value>> {
    for (name, value) in [("--iss", &arguments.iss), ("--sub", &arguments.sub)] {
        if value.is_empty() {
            bail!("{name} must not be empty");
        }
    }
    let issued_at = arguments.at.map_or_else(moment::now, Ok)?;
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(arguments.iss));
    claims.insert("aud".to_owned(), audience(&arguments.aud));
    claims.insert("sub".to_owned(), json!(arguments.sub));
    claims.insert("jti".to_owned(), json!(jwt_id(arguments)?));
    claims.insert("iat".to_owned(), json!(issued_at));
    claims.insert("exp".to_owned(), json!(expires_at(issued_at, arguments.ttl)?));
    for claim in &arguments.claims {
        let (name, value) = further_claim(claim)?;
        if claims.insert(name.clone(), value).is_some() {
            bail!("--claim {name}: named twice");
        }
    }
    Ok(claims)
}

fn audience(several: &[String]) -> Value {
    match several {
        [one] => json!(one),
        several => json!(several),
    }
}

fn jwt_id(arguments: &MintArgs) -> anyhow::Result<String> {
    match arguments.jti.as_deref() {
        Some("") => bail!("--jti must not be empty"),
        Some(jti) => Ok(jti.to_owned()),
        None => Ok(mint::fresh_jwt_id()?),
    }
}

fn expires_at(issued_at: UnixSeconds, ttl: Duration) -> anyhow::Result<UnixSeconds> {
    let seconds = ttl.as_secs();
    if ttl > Duration::from_secs(LIFETIME_DEFAULT) {
        bail!(
            "--ttl is over {LIFETIME_DEFAULT} s (1h): by default edges reject older tokens; mint a shorter one"
        );
    }
    if seconds == 0 || ttl.subsec_nanos() != 0 {
        bail!("--ttl must be whole seconds, at least 1s");
    }
    issued_at.checked_add(seconds).context("--at is too far in the future")
}

fn further_claim(claim: &str) -> anyhow::Result<(String, Value)> {
    let (name, text) = claim
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .with_context(|| "--claim wants NAME=VALUE, as in --claim team=build")?;
    if let Some((_, argument)) = OWN_ARGUMENT.iter().find(|(own, _)| *own == name) {
        bail!("--claim {name}: use {argument}");
    }
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    if name == "nbf" && !value.is_u64() {
        bail!("--claim nbf: must be whole Unix seconds");
    }
    Ok((name.to_owned(), value))
}
