//! A token before its signature was checked: whoever sent it wrote every byte of it.
//!
//! Nothing here may be believed, which is why every name says so. The header serves only to find
//! the key; keys that a token brings along (`jku`, `x5u`, `x5c`) are never looked at, and a `jwk` is
//! refused.

use serde_json::{Map, Value};

use crate::base64url;
use crate::public_key::PublicKey;
use crate::refusal::Refusal;
use crate::rules::{Rules, TOKEN_BYTES};
use crate::signatures::Signatures;
use crate::strict_json;

/// The longest header, in bytes of JSON.
const HEADER_BYTES: usize = 1024;
/// Members that no token has for us: extensions that must be understood (RFC 7515 section 4.1.11), a key
/// of the token's own, and a salt, which only a symmetric key has a use for.
const REFUSED: [&str; 3] = ["crit", "jwk", "salt"];
/// Members that we have no use for, and that are strings where they are there (RFC 7515 section 4.1).
const STRINGS: [&str; 5] = ["cty", "jku", "x5u", "x5t", "x5t#S256"];

/// Three segments of base64url (RFC 7515 section 7.1), taken apart but not believed.
#[derive(Clone, Copy)]
pub struct UnverifiedToken<'t> {
    header: &'t [u8],
    payload: &'t [u8],
    signature: &'t [u8],
    /// What is signed: header and payload as sent (RFC 7515 section 5.2).
    message: &'t [u8],
}

/// A token with its header and claims read, and none of it believed: enough to choose the issuer, its rules
/// and the key.
pub struct UnverifiedJwt<'t> {
    token: UnverifiedToken<'t>,
    header: UnverifiedHeader,
    claims: Map<String, Value>,
}

/// The members of the header that choose the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedHeader {
    /// As written; it may name anything.
    pub algorithm: String,
    /// `None` if the header has no `kid`.
    pub key_id: Option<String>,
}

// === impl UnverifiedToken ===

impl<'t> UnverifiedToken<'t> {
    /// # Errors
    /// [`Refusal::TooLarge`], or [`Refusal::Malformed`] if there are not exactly three segments. An
    /// empty signature gets through here, so that `none` can be refused by its name.
    pub fn parse(token: &'t [u8]) -> Result<UnverifiedToken<'t>, Refusal> {
        if token.len() > TOKEN_BYTES {
            return Err(Refusal::TooLarge);
        }
        let [header, payload, signature] = segments(token).ok_or(Refusal::Malformed)?;
        let message = token.get(..=header.len() + payload.len()).ok_or(Refusal::Malformed)?;
        Ok(UnverifiedToken { header, payload, signature, message })
    }

    /// Whether this could be a token of any length, by its segments alone.
    pub fn has_form(token: &[u8]) -> bool {
        segments(token).is_some()
    }

    /// # Errors
    /// [`Refusal::TooLarge`] over 1 KiB; [`Refusal::Malformed`] if it is not a JSON object with a
    /// string `alg`, has `crit` or a key of its own (`jwk`), a `kid` that is not a string, a `typ` other
    /// than `JWT`, `at+jwt` and `JOSE`, or another member of JOSE that is of the wrong type.
    pub fn unverified_header(&self) -> Result<UnverifiedHeader, Refusal> {
        let members = self.unverified_header_members()?;
        if REFUSED.iter().any(|name| members.contains_key(*name)) || !is_well_typed(&members) {
            return Err(Refusal::Malformed);
        }
        match members.get("typ") {
            None => {}
            Some(Value::String(typ)) if is_jwt_type(typ) => {}
            Some(_) => return Err(Refusal::Malformed),
        }
        let Some(Value::String(algorithm)) = members.get("alg") else {
            return Err(Refusal::Malformed);
        };
        let key_id = match members.get("kid") {
            None => None,
            Some(Value::String(key_id)) => Some(key_id.clone()),
            Some(_) => return Err(Refusal::Malformed),
        };
        Ok(UnverifiedHeader { algorithm: algorithm.clone(), key_id })
    }

    /// Every member of the header; for showing to people.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] or [`Refusal::Malformed`].
    pub fn unverified_header_members(&self) -> Result<Map<String, Value>, Refusal> {
        let json = base64url::decode(self.header).ok_or(Refusal::Malformed)?;
        if json.len() > HEADER_BYTES {
            return Err(Refusal::TooLarge);
        }
        strict_json::object(&json).ok_or(Refusal::Malformed)
    }

    /// Every claim; for showing to people.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn unverified_claims(&self) -> Result<Map<String, Value>, Refusal> {
        let json = base64url::decode(self.payload).ok_or(Refusal::Malformed)?;
        strict_json::object(&json).ok_or(Refusal::Malformed)
    }
}

// === impl UnverifiedJwt ===

impl<'t> UnverifiedJwt<'t> {
    /// # Errors
    /// As [`UnverifiedToken::parse`] and [`UnverifiedToken::unverified_header`]; [`Refusal::Malformed`] if
    /// the payload is not a JSON object.
    pub fn read(token: &'t [u8]) -> Result<UnverifiedJwt<'t>, Refusal> {
        let token = UnverifiedToken::parse(token)?;
        let header = token.unverified_header()?;
        let claims = token.unverified_claims()?;
        Ok(UnverifiedJwt { token, header, claims })
    }

    pub(crate) fn header(&self) -> &UnverifiedHeader {
        &self.header
    }

    /// Does it name a key? Only then is it worth a fetch of its issuer's keys.
    pub fn names_a_key(&self) -> bool {
        self.header.key_id.is_some()
    }

    /// The place of the issuer that the token claims to be of. The caller verifies it with that issuer's
    /// keys and rules and with no others, which is what makes the claim true or false.
    ///
    /// # Errors
    /// [`Refusal::Claims`] without a usable `iss`; [`Refusal::Issuer`].
    pub fn choose<'r>(
        &self,
        issuers: impl IntoIterator<Item = &'r Rules>,
    ) -> Result<usize, Refusal> {
        let Some(Value::String(issuer)) = self.claims.get("iss").filter(|iss| *iss != "") else {
            return Err(Refusal::Claims("iss"));
        };
        let mut issuers = issuers.into_iter();
        issuers.position(|rules| rules.issuer == *issuer).ok_or(Refusal::Issuer)
    }

    /// The claims, and what was signed, once the signature fits.
    pub(crate) fn authenticate(
        self,
        key: &PublicKey,
        signatures: &dyn Signatures,
    ) -> Result<(Map<String, Value>, &'t [u8]), Refusal> {
        let UnverifiedToken { signature, message, .. } = self.token;
        if signature.is_empty() {
            return Err(Refusal::Malformed);
        }
        // Strict decoding first: a lax one would let two spellings of one token pass.
        let signature = base64url::decode(signature).ok_or(Refusal::Malformed)?;
        if !key.fits(message, &signature, signatures) {
            return Err(Refusal::Signature);
        }
        Ok((self.claims, message))
    }
}

/// Header, payload and signature; only the signature may be empty.
fn segments(token: &[u8]) -> Option<[&[u8]; 3]> {
    let mut segments = token.split(|byte| *byte == b'.');
    let found = [segments.next()?, segments.next()?, segments.next()?];
    let [header, payload, _] = found;
    let is_whole = segments.next().is_none() && !header.is_empty() && !payload.is_empty();
    is_whole.then_some(found)
}

fn is_well_typed(members: &Map<String, Value>) -> bool {
    let chain = members.get("x5c");
    STRINGS.iter().filter_map(|name| members.get(*name)).all(Value::is_string)
        && chain.is_none_or(|chain| {
            chain.as_array().is_some_and(|chain| chain.iter().all(Value::is_string))
        })
}

/// Whether `typ` is a media type of a JWT: those of RFC 7519 section 5.1, RFC 9068 section 2.1 and the
/// `JOSE` of RFC 7515 section 4.1.9, which also lets `application/` be left out. Media types have no case.
fn is_jwt_type(typ: &str) -> bool {
    const PREFIX: &str = "application/";
    let name = match typ.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => typ.get(PREFIX.len()..),
        _ => Some(typ),
    };
    name.is_some_and(|name| {
        ["JWT", "at+jwt", "JOSE"].iter().any(|own| name.eq_ignore_ascii_case(own))
    })
}
