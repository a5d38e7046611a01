//! Session JWTs, minted ahead, and the requests that carry them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use stack::sessions::Sessions;

/// A control plane with a key of each algorithm, and a stranger's.
pub struct Tokens {
    planes: Vec<Sessions>,
    stranger: Sessions,
}

/// What every destination here asks of a session.
const CLAIMS: (&str, &str) = ("team", "build");

// === impl Tokens ===

impl Tokens {
    /// # Errors
    /// No randomness to be had.
    pub fn generate() -> Result<Self> {
        let plane = |algorithm, kid| -> Result<Sessions> {
            let key = SigningKey::generate(algorithm, kid).context("a key for sessions")?;
            Ok(Sessions::with_key(key))
        };
        let planes: Vec<_> =
            Algorithm::ALL.into_iter().map(|one| plane(one, None)).collect::<Result<_>>()?;
        // Under the name of a key that is believed: what is wrong shows in the signature alone.
        let kid = planes.first().context("a key")?.key().kid().to_owned();
        Ok(Self { stranger: plane(Algorithm::EdDsa, Some(&kid))?, planes })
    }

    /// What verifies them all: `{"keys": [..]}`.
    pub fn jwks(&self) -> Value {
        let keys: Vec<_> = self.planes.iter().map(|plane| plane.key().public_jwk()).collect();
        json!({"keys": keys})
    }

    /// A new session.
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn mint(&self, algorithm: Algorithm) -> Result<String> {
        let mut planes = self.planes.iter();
        let plane = planes.find(|plane| plane.key().algorithm() == algorithm);
        mint(plane.context("a key of this algorithm")?)
    }

    /// A token that somebody else signed.
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn forge(&self) -> Result<String> {
        mint(&self.stranger)
    }
}

fn mint(plane: &Sessions) -> Result<String> {
    let (name, value) = CLAIMS;
    plane.mint(&json!({name: value}))
}

/// The condition that every one of these tokens meets.
pub fn condition() -> Value {
    let (name, value) = CLAIMS;
    json!({"claims": {name: [value]}})
}

/// Writes requests as requests.lua reads them: host and token, a line each.
///
/// # Errors
/// The file cannot be written.
pub fn write<'a>(
    file: &Path,
    requests: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<PathBuf> {
    let mut text = String::new();
    for (host, token) in requests {
        writeln!(text, "{host} {token}").context("a line of requests")?;
    }
    fs::write(file, text).with_context(|| file.display().to_string())?;
    Ok(file.to_owned())
}
