//! What a session is called: by edge, custody, their feed, ledger and audit log.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt;

use crate::claim_path::ClaimPath;
use crate::refusal::Refusal;

/// Stands between the issuer and its own name of the session. No issuer that is configured has it in its
/// `iss`, so no two issuers can give two sessions one name.
pub const SEPARATOR: char = '#';
/// The word for [`SessionName::TokenDigest`].
const TOKEN_DIGEST: &str = "token_digest";
/// Bytes of a `sid`; a longer one names no session, and `jti` does.
const SID: usize = 256;
/// Bytes of what the claims of [`SessionName::Claims`] make; a longer one names no session.
const LONGEST: usize = 1024;

/// How an issuer's sessions are told apart: what follows the issuer and a `#` in a session's name.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum SessionName {
    /// The claim `sid` (OpenID Connect Front-Channel Logout 1.0 section 3) if there is a usable one, so that
    /// a session survives the renewal of its token; else `jti`. A token needs `jti` and `sub`.
    #[default]
    SidOrJti,
    /// These claims, each a text.
    Claims(Vec<ClaimPath>),
    /// A digest of what is signed: each token is a session of its own. Not of the signature, since whoever
    /// holds a token can write some signatures in another way.
    TokenDigest,
}

struct NameVisitor;

// === impl SessionName ===

impl SessionName {
    /// Between the issuer and its own name of the session.
    pub const SEPARATOR: char = SEPARATOR;

    /// The whole name. `signed` is header and payload, as they were sent.
    pub(crate) fn of(
        &self,
        issuer: &str,
        claims: &Map<String, Value>,
        signed: &[u8],
    ) -> Result<String, Refusal> {
        let own = match self {
            SessionName::TokenDigest => URL_SAFE_NO_PAD.encode(Sha256::digest(signed)),
            by_claims => by_claims.of_claims(claims)?,
        };
        Ok(format!("{issuer}{SEPARATOR}{own}"))
    }

    /// The whole name that a session of these claims would have, which no signature stands for. `None` if
    /// they name none, or the name depends on the token.
    pub fn of_unverified(&self, issuer: &str, claims: &Map<String, Value>) -> Option<String> {
        let own = self.of_claims(claims).ok()?;
        Some(format!("{issuer}{SEPARATOR}{own}"))
    }

    fn of_claims(&self, claims: &Map<String, Value>) -> Result<String, Refusal> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        match self {
            SessionName::SidOrJti => {
                let sid = text("sid").filter(|sid| (1..=SID).contains(&sid.len()));
                sid.or_else(|| text("jti")).map(str::to_owned).ok_or(Refusal::Claims("jti"))
            }
            SessionName::Claims(paths) => {
                let texts = paths.iter().map(|path| match path.find(claims) {
                    Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
                    _ => Err(Refusal::Name),
                });
                joined(&texts.collect::<Result<Vec<_>, _>>()?)
            }
            SessionName::TokenDigest => Err(Refusal::Name),
        }
    }
}

/// One text as it is. Of several, each is escaped, so that no two lists become the same text.
fn joined(texts: &[&str]) -> Result<String, Refusal> {
    let name = match texts {
        [one] => (*one).to_owned(),
        several => {
            let escape = |text: &&str| text.replace('%', "%25").replace(SEPARATOR, "%23");
            several.iter().map(escape).collect::<Vec<_>>().join(&SEPARATOR.to_string())
        }
    };
    if name.len() <= LONGEST { Ok(name) } else { Err(Refusal::Name) }
}

impl<'de> Deserialize<'de> for SessionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SessionName, D::Error> {
        deserializer.deserialize_any(NameVisitor)
    }
}

impl serde::Serialize for SessionName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            SessionName::SidOrJti => serializer.serialize_none(),
            SessionName::Claims(paths) => {
                serializer.collect_seq(paths.iter().map(ClaimPath::as_str))
            }
            SessionName::TokenDigest => serializer.serialize_str(TOKEN_DIGEST),
        }
    }
}

// === impl NameVisitor ===

impl<'de> Visitor<'de> for NameVisitor {
    type Value = SessionName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claim, a list of claims, or token_digest")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SessionName, E> {
        match text {
            TOKEN_DIGEST => Ok(SessionName::TokenDigest),
            claim => Ok(SessionName::Claims(vec![path(claim)?])),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<SessionName, A::Error> {
        let mut paths = Vec::new();
        while let Some(claim) = seq.next_element::<String>()? {
            paths.push(path(&claim)?);
        }
        if paths.is_empty() {
            return Err(A::Error::custom("names no claim, so all sessions would be one"));
        }
        Ok(SessionName::Claims(paths))
    }
}

fn path<E: Error>(claim: &str) -> Result<ClaimPath, E> {
    ClaimPath::parse(claim).map_err(|what| E::custom(format!("claim {claim:?} {what}")))
}
