//! Envoy's foreign functions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::sha2::{Digest, Sha224, Sha512};
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::Value;
use stack::built::Built;

use crate::prober::Arg::{self, Out, Text};
use crate::prober::Gives::Bytes;
use crate::prober::Prober;
/// SubjectPublicKeyInfo of a P-256 point and of an Ed25519 key, up to the key itself (RFC 5480, 8410).
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const ED25519_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 key in PKCS #8, up to the key itself (RFC 8410).
const ED25519_KEY_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// "hello hello" in zlib's format.
const HELLO: &[u8] = b"\x78\x9c\xcbH\xcd\xc9\xc9W\xc8\x00\x91\x00\x19\x91\x04I";

pub fn foreign_functions(prober: &mut Prober) {
    const CALL: &str = "proxy_call_foreign_function";
    fn call<'a>(name: &'a [u8], argument: &'a [u8]) -> [Arg<'a>; 3] {
        [Text(name), Text(argument), Out]
    }
    let behind = [HELLO, b"more"].concat();
    let mut bent = HELLO.to_vec();
    bent[15] ^= 1;
    prober
        .story("foreign functions")
        .call("compress", CALL, &call(b"compress", b"hello hello"), Bytes)
        .call("compress nothing", CALL, &call(b"compress", b""), Bytes)
        .call("uncompress", CALL, &call(b"uncompress", HELLO), Bytes)
        .call("uncompress, with more behind it", CALL, &call(b"uncompress", &behind), Bytes)
        .call("uncompress a part", CALL, &call(b"uncompress", &HELLO[..9]), Bytes)
        .call("uncompress a bent one", CALL, &call(b"uncompress", &bent), Bytes)
        .call("uncompress nothing", CALL, &call(b"uncompress", b""), Bytes)
        .call("uncompress rubbish", CALL, &call(b"uncompress", b"rubbish"), Bytes)
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

/// Signatures over each kind of key, each way to write it, and hashes that are less usual.
pub fn keys(prober: &mut Prober) {
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let der = key.to_pkcs8_der().unwrap().as_bytes().to_vec();
    let pem = key.to_pkcs8_pem(LineEnding::LF).unwrap();
    let old_pem = key.to_pkcs1_pem(LineEnding::LF).unwrap();
    let public = key.to_public_key().to_public_key_der().unwrap().into_vec();
    let edwards = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let edwards_key = [&ED25519_KEY_PREFIX[..], &[7; 32]].concat();
    let asked = |hash: &[u8], key: Vec<u8>| [field(1, hash), key, field(3, b"text")].concat();
    prober.story("keys");
    for (label, argument) in [
        ("RSA, SHA-256", asked(b"sha256", field(2, &der))),
        ("RSA, SHA-1", asked(b"SHA1", field(2, &der))),
        ("RSA, SHA-224", asked(b"sha224", field(2, &der))),
        ("RSA, SHA-512", asked(b"sha512", field(2, &der))),
        ("RSA, PEM", asked(b"sha256", field(4, pem.as_bytes()))),
        ("RSA, PKCS #1 as PEM", asked(b"sha256", field(4, old_pem.as_bytes()))),
        (
            "both kinds of key",
            asked(b"sha256", [field(2, &der), field(4, pem.as_bytes())].concat()),
        ),
        ("no key", asked(b"sha256", Vec::new())),
        ("no known hash", asked(b"md5", field(2, &der))),
        ("no hash", asked(b"", field(2, &der))),
        ("a key that is none", asked(b"sha256", field(2, b"abc"))),
        ("a PEM that is none", asked(b"sha256", field(4, b"abc"))),
        ("PEM where DER should be", asked(b"sha256", field(2, pem.as_bytes()))),
        ("a public key", asked(b"sha256", field(2, &public))),
        ("Ed25519", asked(b"sha256", field(2, &edwards_key))),
        ("Ed25519 with its public key", asked(b"sha256", field(2, edwards.as_ref()))),
        ("rubbish", b"\xff\xff".to_vec()),
    ] {
        let args = [Text(b"sign"), Text(&argument), Out];
        prober.call(&format!("sign: {label}"), "proxy_call_foreign_function", &args, Bytes);
    }
    let signed = |padding, digest: &[u8]| field(3, &key.sign(padding, digest).unwrap());
    let of_224 = signed(Pkcs1v15Sign::new::<Sha224>(), &Sha224::digest(b"text"));
    let of_512 = signed(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(b"text"));
    for (label, hash, signature) in [
        ("RSA, SHA-224", &b"sha224"[..], &of_224),
        ("RSA, SHA-512", b"sha512", &of_512),
        ("RSA, SHA-224 for SHA-256", b"sha256", &of_224),
    ] {
        let argument =
            [field(1, hash), field(2, &public), signature.clone(), field(4, b"text")].concat();
        let args = [Text(b"verify_signature"), Text(&argument), Out];
        prober.call(&format!("verify: {label}"), "proxy_call_foreign_function", &args, Bytes);
    }
}

/// Every kind of key with every hash, from OpenSSL, and a tampered twin of each.
pub fn vectors(prober: &mut Prober) {
    let path = Built::root().join("host-sim/tests/vectors/signatures.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bytes = |value: &Value| {
        let hex = value.as_str().unwrap().as_bytes();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        hex.chunks(2).map(byte).collect::<Vec<_>>()
    };
    prober.story("vectors");
    for key in file["keys"].as_array().unwrap() {
        let public = bytes(&key["public"]);
        for (hash, signature) in key["signatures"].as_object().unwrap() {
            let signature = bytes(signature);
            let mut bent = signature.clone();
            *bent.last_mut().unwrap() ^= 1;
            for (what, signature) in [("", &signature), (", a bit flipped", &bent)] {
                let fields = [(1, hash.as_bytes()), (2, &public), (3, signature), (4, b"text")];
                let argument = fields.map(|(number, bytes)| field(number, bytes)).concat();
                let args = [Text(b"verify_signature"), Text(&argument), Out];
                let label = format!("{}, {hash}{what}", key["name"].as_str().unwrap());
                prober.call(&label, "proxy_call_foreign_function", &args, Bytes);
            }
        }
    }
}
