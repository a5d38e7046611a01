//! JWK thumbprints (RFC 7638): a name for a key that follows from the key.

use rsa::sha2::{Digest, Sha256};
use serde_json::Value;

use crate::base64url;

/// SHA-256 over the required public members in lexicographic order, as base64url. `None` if the
/// value is no JWK of a kind we know.
pub fn thumbprint(jwk: &Value) -> Option<String> {
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "OKP" => &["crv", "kty", "x"],
        "EC" => &["crv", "kty", "x", "y"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let mut members = Vec::new();
    for name in names {
        let text = Value::String(jwk.get(name)?.as_str()?.to_owned());
        members.push(format!("\"{name}\":{text}"));
    }
    let canonical = format!("{{{}}}", members.join(","));
    Some(base64url::encode(Sha256::digest(canonical.as_bytes())))
}
