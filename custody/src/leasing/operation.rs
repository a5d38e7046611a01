//! The one operation a single-use lease is for.

use super::reason::RefusalReason;
use custody_base::names::digest_of;
use lease::{Binding, LeaseRequest, fingerprint};
use session::Session;

const DOMAIN: &str = "leasehold/v1/reservation";

/// Is the request the one whose fingerprint it carries? A single-use one has to carry it.
///
/// # Errors
/// The reason why the lease is not given.
pub(super) fn unchanged(request: &LeaseRequest) -> Result<(), RefusalReason> {
    let LeaseRequest {
        method,
        destination,
        path,
        idempotency_key,
        body_digest,
        fingerprint: told,
        binding,
        session: _,
        handle: _,
    } = request;
    let (key, body) = (idempotency_key.as_deref(), body_digest.as_deref());
    match (told, binding) {
        (None, Binding::Session) => Ok(()),
        (None, Binding::SingleUse) => Err(RefusalReason::FingerprintMissing),
        (Some(told), _) if *told == fingerprint(method, destination, path, key, body) => Ok(()),
        (Some(_), _) => Err(RefusalReason::Fingerprint),
    }
}

/// The name of the operation in the ledger: SHA-256 over issuer, session, handle, destination and
/// fingerprint, each with its length in front.
pub(super) fn key(session: &Session, request: &LeaseRequest) -> [u8; 32] {
    let destination = request.destination.to_string();
    digest_of([
        DOMAIN,
        session.issuer(),
        session.id(),
        request.handle.as_str(),
        &destination,
        request.fingerprint.as_deref().unwrap_or_default(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use lease::{Authority, Secret};
    use serde_json::json;
    use session::mint::SigningKey;
    use session::{Algorithm, KeySet, Rules, Verifier};
    use std::collections::BTreeSet;

    const NOW: u64 = 1_800_000_000;

    fn request(change: impl FnOnce(&mut LeaseRequest)) -> LeaseRequest {
        let destination = Authority::parse(b"a.example", 443).unwrap();
        let body = "0".repeat(64);
        let told = fingerprint("POST", &destination, "/pay", Some("k"), Some(&body));
        let mut request = LeaseRequest {
            session: Secret::new("unused"),
            handle: "h".parse().unwrap(),
            destination,
            method: "POST".into(),
            path: "/pay".into(),
            fingerprint: Some(told),
            idempotency_key: Some("k".into()),
            body_digest: Some(body),
            binding: Binding::SingleUse,
        };
        change(&mut request);
        request
    }

    #[test]
    fn any_changed_field_shows() {
        assert_eq!(unchanged(&request(|_| {})), Ok(()));
        let changes: [fn(&mut LeaseRequest); 9] = [
            |r| r.method = "PUT".into(),
            |r| r.destination = Authority::parse(b"b.example", 443).unwrap(),
            |r| r.destination = Authority::parse(b"a.example", 444).unwrap(),
            |r| r.path = "/pay/".into(),
            |r| r.idempotency_key = None,
            |r| r.idempotency_key = Some("l".into()),
            |r| r.body_digest = None,
            |r| r.body_digest = Some("1".repeat(64)),
            |r| r.fingerprint = Some("0".repeat(64)),
        ];
        for change in changes {
            assert_eq!(unchanged(&request(change)), Err(RefusalReason::Fingerprint));
        }
        assert_eq!(
            unchanged(&request(|r| r.fingerprint = None)),
            Err(RefusalReason::FingerprintMissing)
        );
        let session = |change: fn(&mut LeaseRequest)| {
            let mut request = request(change);
            request.binding = Binding::Session;
            unchanged(&request)
        };
        assert_eq!(session(|r| r.fingerprint = None), Ok(()));
        assert_eq!(session(|r| r.path = "/".into()), Err(RefusalReason::Fingerprint));
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let signer = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
        let session = |issuer: &str, jwt_id: &str| {
            let keys = KeySet::from_jwks(&signer.public_jwks()).unwrap();
            let claims = json!({"iss": issuer, "aud": "a", "sub": "s", "jti": jwt_id, "iat": NOW,
                "exp": NOW + 600});
            let token = signer.sign(&claims).unwrap();
            Verifier::new(Rules::new(issuer, "a"), keys).verify(token.as_bytes(), NOW).unwrap()
        };
        let keys = [
            key(&session("i", "j"), &request(|_| {})),
            key(&session("i", "k"), &request(|_| {})),
            key(&session("ij", "j"), &request(|_| {})),
            key(&session("i", "j"), &request(|r| r.handle = "g".parse().unwrap())),
            key(&session("i", "j"), &request(|r| r.fingerprint = Some("0".repeat(64)))),
            key(
                &session("i", "j"),
                &request(|r| r.destination = Authority::parse(b"b.example", 443).unwrap()),
            ),
        ];
        assert_eq!(BTreeSet::from(keys).len(), keys.len());
        assert_eq!(key(&session("i", "j"), &request(|_| {})), keys[0]);
    }
}
