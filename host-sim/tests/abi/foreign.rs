use crate::guest::{Guest, OUT, call, get, given, statuses};
use host_sim::{Host, Status::*};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// SubjectPublicKeyInfo of a P-256 point, up to the point.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn calling(function: &str, argument: &[u8]) -> Host {
    let mut guest = Guest::new();
    let (name, argument) = (guest.text(function), guest.bytes(argument));
    let one = call("proxy_call_foreign_function", &format!("{name} {argument} {OUT}"));
    let mut host = guest.on("proxy_on_request_headers", &(one.clone() + &one)).start();
    host.exchange(get());
    host
}

#[test]
fn signatures_are_verified() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let public = [&P256_PREFIX, key.public_key().as_ref()].concat();
    let signature = key.sign(&random, b"text").unwrap();
    let argument = |text: &[u8]| {
        [field(1, b"sha256"), field(2, &public), field(3, signature.as_ref()), field(4, text)]
            .concat()
    };
    let good = calling("verify_signature", &argument(b"text"));
    assert_eq!(given(&good, "proxy_call_foreign_function")[0].as_bytes(), [8, 1]);
    let bad = calling("verify_signature", &argument(b"other"));
    assert_eq!(statuses(&bad, "proxy_call_foreign_function"), [Ok, Ok]);
    assert!(given(&bad, "proxy_call_foreign_function")[0].contains("Failed to verify"));
    let broken = calling("verify_signature", &[0xff]);
    assert_eq!(statuses(&broken, "proxy_call_foreign_function"), [BadArgument; 2]);
}

#[test]
fn the_others() {
    let unknown = calling("no_such_thing", b"");
    assert_eq!(statuses(&unknown, "proxy_call_foreign_function"), [NotFound; 2]);
    let cleared = calling("clear_route_cache", b"");
    assert_eq!(statuses(&cleared, "proxy_call_foreign_function"), [Ok; 2]);
    let state = [field(1, b"envoy.upstream.dynamic_host"), field(2, b"10.0.0.1")].concat();
    let set = calling("set_envoy_filter_state", &state);
    assert_eq!(statuses(&set, "proxy_call_foreign_function"), [Ok; 2]);
    let unknown = calling("set_envoy_filter_state", &field(1, b"my.own"));
    assert_eq!(statuses(&unknown, "proxy_call_foreign_function"), [NotFound; 2]);
    let declared = calling("declare_property", &field(1, b"p"));
    assert_eq!(statuses(&declared, "proxy_call_foreign_function"), [Ok, BadArgument]);
}
