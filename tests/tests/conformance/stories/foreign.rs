//! Envoy's foreign functions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use crate::prober::Arg::{Out, Text};
use crate::prober::Gives::Bytes;
use crate::prober::Prober;
/// SubjectPublicKeyInfo of a P-256 point and of an Ed25519 key, up to the key itself (RFC 5480, 8410).
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const ED25519_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

pub fn foreign_functions(prober: &mut Prober) {
    const CALL: &str = "proxy_call_foreign_function";
    let call = |name, argument| [Text(name), Text(argument), Out];
    prober
        .story("foreign functions")
        .call("an unknown one", CALL, &call(b"nothing", b""), Bytes)
        .call("clear_route_cache", CALL, &call(b"clear_route_cache", b""), Bytes)
        .call("verify_signature of nothing", CALL, &call(b"verify_signature", b""), Bytes)
        .call("verify_signature of rubbish", CALL, &call(b"verify_signature", b"\xff\xff"), Bytes)
        .call(
            "set_envoy_filter_state of nothing",
            CALL,
            &call(b"set_envoy_filter_state", b""),
            Bytes,
        )
        .call(
            "set_envoy_filter_state, unknown key",
            CALL,
            &call(b"set_envoy_filter_state", b"\x0a\x07nothing\x12\x01v"),
            Bytes,
        )
        .call(
            "set_envoy_filter_state",
            CALL,
            &call(b"set_envoy_filter_state", b"\x0a\x0cenvoy.string\x12\x01v"),
            Bytes,
        )
        .call("declare_property", CALL, &call(b"declare_property", b"\x0a\x05probe"), Bytes)
        .call("declare_property again", CALL, &call(b"declare_property", b"\x0a\x05probe"), Bytes);
}

/// A protobuf field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    // A varint of two bytes, which may be longer than it has to be.
    let [low, high] = [bytes.len() & 0x7f | 0x80, bytes.len() >> 7];
    let size = [low, high].map(|part| u8::try_from(part).unwrap());
    [&[number << 3 | 2], size.as_slice(), bytes].concat()
}

pub fn signatures(prober: &mut Prober) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let der = [&P256_PREFIX, key.public_key().as_ref()].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(&der)
    );
    let signature = key.sign(&random, b"text").unwrap();
    let edwards = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let edwards_der = [&ED25519_PREFIX, edwards.public_key().as_ref()].concat();
    let edwards_signature = edwards.sign(b"text");
    let asked = |hash: &[u8], key: Vec<u8>, signature: &[u8], text: &[u8]| {
        [field(1, hash), key, field(3, signature), field(4, text)].concat()
    };
    let good = signature.as_ref();
    prober.story("signatures");
    for (label, argument) in [
        ("a good one", asked(b"sha256", field(2, &der), good, b"text")),
        ("a good one, hash in capitals", asked(b"SHA256", field(2, &der), good, b"text")),
        ("a good one, the key as PEM", asked(b"sha256", field(5, pem.as_bytes()), good, b"text")),
        ("PEM where DER should be", asked(b"sha256", field(2, pem.as_bytes()), good, b"text")),
        (
            "both kinds of key",
            asked(b"sha256", [field(2, &der), field(5, pem.as_bytes())].concat(), good, b"text"),
        ),
        ("of another text", asked(b"sha256", field(2, &der), good, b"other")),
        ("of another hash", asked(b"sha384", field(2, &der), good, b"text")),
        ("that is none", asked(b"sha256", field(2, &der), b"rubbish", b"text")),
        ("by no known hash", asked(b"md5", field(2, &der), good, b"text")),
        ("by no hash", asked(b"", field(2, &der), good, b"text")),
        ("by a key that is none", asked(b"sha256", field(2, b"abc"), good, b"text")),
        ("by a PEM that is none", asked(b"sha256", field(5, b"abc"), good, b"text")),
        (
            "by Ed25519",
            asked(b"sha256", field(2, &edwards_der), edwards_signature.as_ref(), b"text"),
        ),
        (
            "by Ed25519 without a hash",
            asked(b"", field(2, &edwards_der), edwards_signature.as_ref(), b"text"),
        ),
        (
            "with what nobody knows",
            [asked(b"sha256", field(2, &der), good, b"text"), field(15, b"x")].concat(),
        ),
    ] {
        let args = [Text(b"verify_signature"), Text(&argument), Out];
        prober.call(label, "proxy_call_foreign_function", &args, Bytes);
    }
}
