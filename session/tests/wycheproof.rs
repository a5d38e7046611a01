//! Wycheproof's signatures, judged by the code that judges a token's: no invalid one fits, with the help of a
//! host or without. A vector whose message is no JWS is judged below the token, at key, message and signature.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/wycheproof.rs"]
mod vectors;

use serde_json::json;
use session::{KeySet, Said, Signatures, Signed, Unaided};
use std::cell::Cell;
use std::collections::BTreeMap;
use vectors::{KID, Vector};
use wycheproof::TestResult;

/// Says yes to everything, and counts what it is asked.
#[derive(Default)]
struct Lenient(Cell<usize>);

impl Signatures for Lenient {
    fn check(&self, _: &Signed<'_>) -> Said {
        self.0.set(self.0.get() + 1);
        Said::Yes
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    valid_and_fits: usize,
    valid_and_refused: usize,
    /// The key is refused, so nothing it signed fits.
    key_refused: usize,
    acceptable_and_refused: usize,
    invalid_and_refused: usize,
}

fn keys(vector: &Vector) -> Option<KeySet> {
    KeySet::from_jwks(&json!({"keys": [vector.jwk]})).ok()
}

#[test]
fn no_invalid_vector_fits_and_every_valid_one_of_a_usable_key_does() {
    let mut counts = BTreeMap::<String, Count>::new();
    for vector in vectors::all() {
        let Vector { name, message, signature, verdict, .. } = &vector;
        let count = counts.entry(name.split(' ').next().unwrap().to_owned()).or_default();
        let Some(keys) = keys(&vector) else {
            count.key_refused += 1;
            continue;
        };
        let fits = keys.signature_fits(KID, message, signature, &Unaided);
        assert!(!keys.signature_fits("another", message, signature, &Unaided), "{name}");
        match (verdict, fits) {
            (TestResult::Valid, true) => count.valid_and_fits += 1,
            (TestResult::Valid, false) => count.valid_and_refused += 1,
            (TestResult::Acceptable, false) => count.acceptable_and_refused += 1,
            (TestResult::Invalid, false) => count.invalid_and_refused += 1,
            (TestResult::Acceptable | TestResult::Invalid, true) => panic!("{name} fits"),
        }
    }
    let expected = |counts: [usize; 5]| Count {
        valid_and_fits: counts[0],
        valid_and_refused: counts[1],
        key_refused: counts[2],
        acceptable_and_refused: counts[3],
        invalid_and_refused: counts[4],
    };
    // "Acceptable" is a signature whose padding lacks the NULL of the hash's parameters. RFC 8017 (section 9.2,
    // note 2) lets a verifier take it; no signer of today makes it, and it is refused.
    // The keys that are refused have the exponent 3, or 8192 bits.
    let expected = [
        ("ed25519", expected([88, 0, 0, 0, 63])),
        ("p256", expected([173, 0, 0, 0, 89])),
        ("rsa-2048", expected([7, 0, 2, 1, 249])),
        ("rsa-3072", expected([7, 0, 1, 1, 250])),
        ("rsa-4096", expected([7, 0, 0, 1, 250])),
        ("rsa-8192", expected([0, 0, 258, 0, 0])),
    ];
    assert_eq!(counts, expected.map(|(set, count)| (set.to_owned(), count)).into());
}

/// What has no form of a signature is refused before a host is asked: even one that says yes to everything.
#[test]
fn signature_of_a_wrong_form_is_not_shown_to_a_host() {
    let mut shown = 0;
    for vector in vectors::all() {
        let Vector { name, message, signature, .. } = &vector;
        let Some(keys) = keys(&vector) else { continue };
        let lenient = Lenient::default();
        let fits = keys.signature_fits(KID, message, signature, &lenient);
        let of_host = !name.starts_with("ed25519");
        let length = match name.split(' ').next().unwrap() {
            "rsa-2048" => 256,
            "rsa-3072" => 384,
            "rsa-4096" => 512,
            _ => 64,
        };
        assert!(lenient.0.get() <= usize::from(of_host && signature.len() == length), "{name}");
        assert!(!of_host || fits == (lenient.0.get() == 1), "{name}");
        shown += lenient.0.get();
    }
    assert!(shown > 500, "{shown}");
}
