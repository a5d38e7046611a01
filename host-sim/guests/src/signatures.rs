//! Judges signatures: with the filter's own code, compiled as the filter is, and by asking the host.
//!
//! The question is the header `x-question`, in base64url. `GET /own` with a line of JSON for each signature,
//! `{jwk, message, signature}`: a letter for each, `y` if it fits, `n` if not, `k` if the key is refused. `GET /host`
//! with the argument of `verify_signature`: what the host answers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use serde_json::{Value, json};
use session::{KeySet, Unaided};

pub struct Signatures;

// === impl Signatures ===

impl Context for Signatures {}

impl HttpContext for Signatures {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        let question = self.get_http_request_header("x-question").unwrap_or_default();
        let question = URL_SAFE_NO_PAD.decode(question).unwrap_or_default();
        let answer = match self.get_http_request_header(":path").as_deref() {
            Some("/own") => question.split(|byte| *byte == b'\n').filter_map(judged).collect(),
            _ => self.asked(&question),
        };
        self.send_http_response(200, vec![], Some(&answer));
        Action::Pause
    }
}

impl Signatures {
    fn asked(&self, argument: &[u8]) -> Vec<u8> {
        match self.call_foreign_function("verify_signature", Some(argument)) {
            Ok(answer) => answer.unwrap_or_default(),
            Err(status) => format!("{status:?}").into_bytes(),
        }
    }
}

/// `None` of a line that is no signature.
fn judged(line: &[u8]) -> Option<u8> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(line.get(name)?.as_str()?).ok();
    let (message, signature) = (bytes("message")?, bytes("signature")?);
    let jwk = line.get("jwk")?;
    let kid = jwk.get("kid")?.as_str()?;
    Some(match KeySet::from_jwks(&json!({"keys": [jwk]})) {
        Err(_) => b'k',
        Ok(keys) if keys.signature_fits(kid, &message, &signature, &Unaided) => b'y',
        Ok(_) => b'n',
    })
}
