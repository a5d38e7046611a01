//! The edge's request to custody: `POST /v1/leases`.

use crate::authority::Authority;
use crate::handle::Handle;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use zeroize::Zeroizing;

/// The scope of a lease: its session, or one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// To the session and destination; the edge may keep it until it expires.
    Session,
    /// To one operation; never kept.
    SingleUse,
}

/// One request for a lease.
pub struct LeaseRequest {
    /// The guest's Session JWT, which custody verifies for itself.
    pub session: Secret,
    pub handle: Handle,
    /// Where the credential is going to be sent.
    pub destination: Authority,
    pub method: String,
    /// The canonical path, without the query.
    pub path: String,
    /// [`fingerprint`](crate::fingerprint()) of the operation; a single-use lease needs it.
    pub fingerprint: Option<String>,
    pub idempotency_key: Option<String>,
    /// SHA-256 of the body in lower-case hex, where the destination asks for it.
    pub body_digest: Option<String>,
    pub binding: Binding,
}

/// The bytes do not follow the contract. Values that are not valid are never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    session: Cow<'a, str>,
    handle: Handle,
    destination: Authority,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_digest: Option<String>,
    binding: Binding,
}

/// Bytes of a method, at most.
pub const METHOD_LENGTH: usize = 32;
/// Bytes of a path, at most.
pub const PATH_LENGTH: usize = 16 * 1024;
/// Characters of an idempotency key, at most.
pub const IDEMPOTENCY_KEY_LENGTH: usize = 256;

// === impl LeaseRequest ===

impl LeaseRequest {
    /// The JSON body. It holds the Session JWT, so it is wiped when dropped.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        let wire = Wire {
            session: std::str::from_utf8(self.session.expose()).map_err(|_| Malformed)?.into(),
            handle: self.handle.clone(),
            destination: self.destination.clone(),
            method: Cow::Borrowed(&self.method),
            path: Cow::Borrowed(&self.path),
            fingerprint: self.fingerprint.clone(),
            idempotency_key: self.idempotency_key.clone(),
            body_digest: self.body_digest.clone(),
            binding: self.binding,
        };
        // Large enough that the vector never moves and leaves a copy behind.
        let room = 1024 + 6 * (self.session.expose().len() + self.path.len() + self.method.len());
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *body, &wire).map_err(|_| Malformed)?;
        Ok(body)
    }

    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let wire: Wire<'_> = serde_json::from_slice(body).map_err(|_| Malformed)?;
        let digests = [&wire.fingerprint, &wire.body_digest];
        if !is_method(&wire.method)
            || !is_path(&wire.path)
            || !digests.into_iter().flatten().all(|digest| is_digest(digest))
            || !wire.idempotency_key.as_deref().is_none_or(is_idempotency_key)
        {
            return Err(Malformed);
        }
        Ok(Self {
            session: Secret::new(wire.session.into_owned()),
            handle: wire.handle,
            destination: wire.destination,
            method: wire.method.into_owned(),
            path: wire.path.into_owned(),
            fingerprint: wire.fingerprint,
            idempotency_key: wire.idempotency_key,
            body_digest: wire.body_digest,
            binding: wire.binding,
        })
    }
}

/// They go into audit records, where nothing without bounds belongs.
/// Letters, `-` and `_`.
pub fn is_method(method: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_');
    (1..=METHOD_LENGTH).contains(&method.len()) && method.bytes().all(plain)
}

/// SHA-256 in lower-case hex.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// 1 to 256 visible ASCII characters and spaces.
pub fn is_idempotency_key(key: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_LENGTH).contains(&key.len())
        && key.bytes().all(|b| (0x20..0x7f).contains(&b))
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= PATH_LENGTH
}

// === impl Malformed ===

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body does not follow the custody contract")
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request() -> LeaseRequest {
        LeaseRequest {
            session: Secret::new("a.b.c"),
            handle: "github-ci".parse().unwrap(),
            destination: Authority::parse(b"api.github.com", 443).unwrap(),
            method: "GET".into(),
            path: "/repos/acme/\"x\"".into(),
            fingerprint: None,
            idempotency_key: Some("k".into()),
            body_digest: None,
            binding: Binding::Session,
        }
    }

    #[test]
    fn there_and_back() {
        let back = LeaseRequest::decode(&request().encode().unwrap()).unwrap();
        assert_eq!(back.session.expose(), b"a.b.c");
        assert_eq!(back.destination.to_string(), "api.github.com:443");
        assert_eq!(back.path, request().path);
        assert_eq!(back.idempotency_key.as_deref(), Some("k"));
        assert_eq!(back.binding, Binding::Session);
    }

    #[test]
    fn the_contract_is_strict() {
        let good = r#"{"session":"s","handle":"h","destination":"a.example:443","method":"GET","path":"/","binding":"session"}"#;
        assert!(LeaseRequest::decode(good.as_bytes()).is_ok());
        for (from, to) in [
            (r#""handle":"h""#, r#""handle":"../h""#),
            (r#""handle":"h","#, ""),
            ("a.example:443", "a..example:443"),
            (r#""session":"s""#, r#""session":1"#),
            (r#""binding":"session""#, r#""binding":"forever""#),
            (r#""method":"GET""#, r#""method":"""#),
            (r#""method":"GET""#, r#""method":"G T""#),
            (r#""path":"/""#, r#""path":"""#),
            (r#""path":"/""#, r#""path":"x""#),
            (r#""path":"/""#, r#""path":"/","extra":1"#),
            (r#""path":"/""#, r#""path":"/","fingerprint":"abc""#),
            (r#""path":"/""#, r#""path":"/","body_digest":"ABC""#),
            (r#""path":"/""#, r#""path":"/","idempotency_key":"""#),
            (r#""path":"/""#, r#""path":"/","idempotency_key":"a\n""#),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert_eq!(LeaseRequest::decode(bad.as_bytes()).err(), Some(Malformed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(LeaseRequest::decode(&bytes).err(), Some(Malformed));
        }
    }
}
