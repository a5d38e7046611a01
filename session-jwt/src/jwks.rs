//! `session-jwt jwks`.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::json;
use session::KeySet;

use crate::cli::{JwksArgs, Outcome};
use crate::{key_file, printable};

pub fn run(arguments: &JwksArgs) -> anyhow::Result<Outcome> {
    key_file::check_name(arguments.kid.as_deref())?;
    if arguments.kid.is_some() && arguments.keys.len() > 1 {
        bail!("--kid names one key, but there are {}", arguments.keys.len());
    }
    let public =
        |path: &PathBuf| key_file::read(path, arguments.kid.as_deref()).map(|key| key.public_jwk());
    let keys = arguments.keys.iter().map(public).collect::<anyhow::Result<Vec<_>>>()?;
    let jwks = json!({ "keys": keys });
    if let Err(errors) = KeySet::from_jwks(&jwks) {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        bail!("these keys make no key set: {}", errors.join("; "));
    }
    printable::line(&serde_json::to_string_pretty(&jwks)?)?;
    Ok(Outcome::Done)
}
