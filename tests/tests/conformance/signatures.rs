//! Wycheproof's signatures before every verifier that may judge a session's: the filter's own code natively and
//! as WebAssembly on both hosts, and `verify_signature` of both hosts. One verdict, and no invalid one fits.

#[path = "../../../session/tests/support/wycheproof.rs"]
mod vectors;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use host_sim::{Host, Module, Plugin, Request, Upstream};
use serde_json::json;
use session::{KeySet, Said, Signatures, Signed, Unaided};
use stack::built::Built;
use stack::envoy::{Envoy, EnvoyBinary};
use std::cell::RefCell;
use tests::guest;
use tests::wire::Wire;
use vectors::{KID, Vector};
use wycheproof::TestResult;

use crate::guests::real;
use crate::guests::scenario::Filter;
use crate::guests::server::{Says, Server};

const MODULE: &str = "wasm32-wasip1/wasm/sdk_guests.wasm";
const GUEST: Filter = Filter { name: "guest", root_id: "signatures", configuration: "", vm_id: "" };
/// In one request, so that no request takes long.
const TOGETHER: usize = 8;
/// `VerifySignatureResult {result: true}`, and how the error of a signature that does not fit begins.
const YES: &[u8] = b"\x08\x01";
const NO: &str = "Failed to verify digest.";

/// Answers a path and a question as the guest on some host does.
type Ask<'a> = &'a mut dyn FnMut(&str, &[u8]) -> Vec<u8>;

/// Keeps what a host would be asked.
#[derive(Default)]
struct Asked(RefCell<Option<Vec<u8>>>);

impl Signatures for Asked {
    fn check(&self, signed: &Signed<'_>) -> Said {
        let fields = [b"sha256", signed.public_key, signed.signature, signed.message];
        let fields = (1..).zip(fields).flat_map(|(number, bytes)| field(number, bytes));
        *self.0.borrow_mut() = Some(fields.collect());
        Said::No
    }
}

/// A protobuf field of bytes, its size in as many groups of seven bits as it takes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut size = bytes.len();
    while size >= 0x80 {
        field.push(u8::try_from(size & 0x7f | 0x80).unwrap());
        size >>= 7;
    }
    field.push(u8::try_from(size).unwrap());
    [&field, bytes].concat()
}

/// The letter that the guest gives for a vector.
fn native(vector: &Vector) -> u8 {
    match KeySet::from_jwks(&json!({"keys": [vector.jwk]})) {
        Err(_) => b'k',
        Ok(keys) if keys.signature_fits(KID, &vector.message, &vector.signature, &Unaided) => b'y',
        Ok(_) => b'n',
    }
}

/// What a host is asked of a vector; `None` where it is not.
fn question(vector: &Vector) -> Option<Vec<u8>> {
    let keys = KeySet::from_jwks(&json!({"keys": [vector.jwk]})).ok()?;
    let asked = Asked::default();
    let fits = keys.signature_fits(KID, &vector.message, &vector.signature, &asked);
    let question = asked.0.into_inner();
    // The host said no; of EdDSA it is not asked.
    assert!(question.is_none() || !fits, "{}", vector.name);
    question
}

/// Holds a host against the native verdicts; how many signatures `verify_signature` judged.
fn judge(host: &str, vectors: &[Vector], ask: Ask) -> usize {
    for together in vectors.chunks(TOGETHER) {
        let lines = together.iter().map(|vector| {
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let (message, signature) = (encode(&vector.message), encode(&vector.signature));
            json!({"jwk": vector.jwk, "message": message, "signature": signature}).to_string()
        });
        let letters = ask("/own", lines.collect::<Vec<_>>().join("\n").as_bytes());
        let expected: Vec<_> = together.iter().map(native).collect();
        let (first, letters) = (&together[0].name, String::from_utf8_lossy(&letters).into_owned());
        assert_eq!(letters.as_bytes(), expected, "{host}, from {first}: {letters}");
    }
    let mut asked = 0;
    for vector in vectors {
        let Some(argument) = question(vector) else { continue };
        asked += 1;
        let answer = ask("/host", &argument);
        let fits = answer == YES;
        let text = String::from_utf8_lossy(&answer);
        assert!(fits || text.contains(NO), "{host}: {}: {text:?}", vector.name);
        assert_eq!(fits, native(vector) == b'y', "{host}: {}", vector.name);
        assert!(!fits || vector.verdict == TestResult::Valid, "{host}: {}", vector.name);
    }
    asked
}

fn on_host_sim(vectors: &[Vector]) -> usize {
    let module = Module::open(&Built::find().unwrap().target().join(MODULE)).unwrap();
    let plugin = Plugin::new(&module).name(GUEST.name).root_id(GUEST.root_id);
    let mut host = Host::builder().plugin(plugin).start().unwrap();
    judge("host-sim", vectors, &mut |path, question| {
        let request =
            Request::get("guest.test", path).header("x-question", URL_SAFE_NO_PAD.encode(question));
        let outcome = host.exchange(request.upstream(Upstream::answers(500, &[], "")));
        let received = outcome.received.clone();
        received.unwrap_or_else(|| panic!("{path}: {}", host.transcript())).body.to_vec()
    })
}

fn on_envoy(vectors: &[Vector]) -> usize {
    let origin = Server::start(Says::Answer(500, ""));
    let folder = tempfile::tempdir().unwrap();
    let binary = EnvoyBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
    let module = Built::find().unwrap().target().join(MODULE);
    let config = real::config(&module, &[GUEST], &[real::cluster("origin", &origin)]).to_string();
    let envoy = Envoy::start(&binary, &config, folder.path()).unwrap();
    let mut wire = Wire::new(guest::dial(envoy.listen_address()).unwrap());
    judge("Envoy", vectors, &mut |path, question| {
        let question = URL_SAFE_NO_PAD.encode(question);
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: guest.test\r\nx-question: {question}\r\n\r\n");
        let reply = wire.exchange(head);
        let reply = reply.unwrap_or_else(|error| panic!("{error:#}\n{}", envoy.log().unwrap()));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.body
    })
}

/// # Panics
/// Two verifiers differ, or one takes an invalid signature.
pub fn compare() {
    let vectors = vectors::all();
    for vector in &vectors {
        assert!(native(vector) != b'y' || vector.verdict == TestResult::Valid, "{}", vector.name);
    }
    let (simulated, real) = (on_host_sim(&vectors), on_envoy(&vectors));
    assert_eq!(simulated, real);
    assert!(real > 700, "only {real} signatures were shown to the hosts");
}
