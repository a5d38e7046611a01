//! The name of one operation, which identifies a repetition.

use crate::authority::Authority;
use sha2::{Digest, Sha256};

const DOMAIN: &str = "leasehold/v1/operation";

/// SHA-256, in lower-case hex, over the domain, method, authority, path, idempotency key and body
/// digest; each with its length in front (8 bytes, big-endian), an absent one with 2^64 - 1.
///
/// Edge and custody both work it out, so a field that was changed on the way shows.
pub fn fingerprint(
    method: &str,
    authority: &Authority,
    path: &str,
    idempotency_key: Option<&str>,
    body_digest: Option<&str>,
) -> String {
    let authority = authority.to_string();
    let mut hash = Sha256::new();
    let fields =
        [Some(DOMAIN), Some(method), Some(&authority), Some(path), idempotency_key, body_digest];
    for field in fields {
        let length = field.map_or(u64::MAX, |text| text.len() as u64);
        hash.update(length.to_be_bytes());
        hash.update(field.unwrap_or_default());
    }
    base16ct::lower::encode_string(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn of(
        method: &str,
        authority: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&str>,
    ) -> String {
        let authority = Authority::parse(authority.as_bytes(), 443).unwrap();
        fingerprint(method, &authority, path, key, body)
    }

    #[test]
    fn every_field_counts_and_none_runs_into_the_next() {
        let all = [
            of("GET", "a.example", "/x", None, None),
            of("POST", "a.example", "/x", None, None),
            of("GET", "b.example", "/x", None, None),
            of("GET", "a.example:8443", "/x", None, None),
            of("GET", "a.example", "/xy", None, None),
            of("GET", "a.example", "/x", Some("y"), None),
            of("GET", "a.example", "/x", None, Some("y")),
            of("GET", "a.example", "/x", Some(""), None),
            of("GET", "a.example", "/x", Some(""), Some("")),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.iter().all(|one| one.len() == 64));
        assert_eq!(of("GET", "A.example:443", "/x", None, None), all[0]);
    }
}
