//! EdDSA is checked by ed25519-dalek, for its speed, and by the rules that jwt-simple has.
#![allow(clippy::unwrap_used)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{
    Ed25519PublicKey, EdDSAPublicKeyLike, NoCustomClaims, UnixTimeStamp, VerificationOptions,
};
use proptest::prelude::*;
use session::{Algorithm, Refusal};
use std::sync::LazyLock;
use support::*;

/// The order of the group, 2^252 + 27742317777372353535851937790883648493 (RFC 8032 section 5.1), little
/// endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

static PAIR: LazyLock<Pair> = LazyLock::new(|| Pair::new(Algorithm::EdDsa));
static TOKEN: LazyLock<String> = LazyLock::new(|| PAIR.key.sign(&claims()).unwrap());

fn signature() -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(TOKEN.rsplit_once('.').unwrap().1).unwrap()
}

/// Does it fit? Both say the same.
fn fits(signature: &[u8]) -> bool {
    let (signed, _) = TOKEN.rsplit_once('.').unwrap();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    let ours = PAIR.check(&token).err();
    assert!(matches!(ours, None | Some(Refusal::Signature)), "{ours:?}");
    let x = PAIR.key.public_jwk()["x"].as_str().map(|x| URL_SAFE_NO_PAD.decode(x).unwrap());
    let key = Ed25519PublicKey::from_bytes(&x.unwrap()).unwrap();
    let now = Some(UnixTimeStamp::from_secs(NOW));
    let options = VerificationOptions { artificial_time: now, ..VerificationOptions::default() };
    let theirs = key.verify_token::<NoCustomClaims>(&token, Some(options));
    assert_eq!(ours.is_none(), theirs.is_ok(), "{signature:02x?}");
    ours.is_none()
}

/// S and S + L solve the same equation (RFC 8032 section 8.4).
#[test]
fn a_number_over_the_order_is_refused() {
    let mut changed = signature();
    assert!(fits(&changed));
    let mut carry = 0;
    for (digit, more) in changed[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*digit) + u16::from(more);
        *digit = carry as u8;
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    assert!(!fits(&changed));
}

#[test]
fn points_of_small_order_and_in_a_second_spelling_are_refused() {
    let of = |first: u8, middle: u8, last: u8| {
        let mut point = [middle; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let points = [
        of(1, 0, 0),          // the neutral element
        of(1, 0, 0x80),       // with a sign that zero has not
        of(0xec, 0xff, 0x7f), // order 2
        of(0, 0, 0),          // order 4
        of(0xed, 0xff, 0x7f), // p, which is zero once more
        of(0xee, 0xff, 0x7f), // p + 1, which is one once more
        of(0xff, 0xff, 0xff), // off the curve, or over p
    ];
    for point in points {
        let own = signature();
        for s in [&own[32..], &[0; 32], &ORDER] {
            assert!(!fits(&[&point, s].concat()), "{point:02x?}");
        }
    }
}

#[test]
fn other_lengths_are_refused() {
    let right = signature();
    for wrong in [&right[..63], &[&right[..], &[0]].concat(), &right[..32], &[0]] {
        assert!(!fits(wrong));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn changed_signatures_are_refused(
        changes in proptest::collection::vec((0usize..64, any::<u8>()), 0..3),
    ) {
        let right = signature();
        let mut changed = right.clone();
        for (at, mask) in changes {
            changed[at] ^= mask;
        }
        prop_assert_eq!(fits(&changed), changed == right);
    }
}
