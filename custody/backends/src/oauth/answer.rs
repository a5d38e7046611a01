//! The answers of a token endpoint (RFC 6749 section 5).

use crate::BackendFault;
use custody_base::outbound::{Answer, StatusCode, optional_secret};
use lease::Secret;
use serde::Deserialize;
use serde_json::Value;

/// The server granted a token.
pub(super) struct Granted {
    /// [`BackendFault::Unfit`] for a token that is not to be used.
    pub access: Result<Access, BackendFault>,
    /// A new refresh token, in place of the one that was spent; also beside an unfit access token.
    pub refresh: Option<Secret>,
}

/// A token, not yet held against what was asked.
pub(super) struct Access {
    pub token: Secret,
    /// Seconds; `None` if the answer has no life.
    pub life: Option<u64>,
    pub scope: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawGranted {
    #[serde(default, deserialize_with = "optional_secret")]
    access_token: Option<Secret>,
    token_type: Option<Value>,
    expires_in: Option<Value>,
    scope: Option<Value>,
    #[serde(default, deserialize_with = "optional_secret")]
    refresh_token: Option<Secret>,
    issued_token_type: Option<String>,
    /// GitHub and Slack refuse with status 200.
    error: Option<Value>,
    /// Slack's word for it.
    ok: Option<Value>,
}

#[derive(Deserialize)]
struct RawRefused {
    error: String,
}

/// The expectations of an answer before it comes.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// It answers a token exchange.
    pub is_exchanged: bool,
    /// How long a token lives, in seconds, if its answer does not have a life.
    pub lifetime: Option<u64>,
}

/// RFC 8693 section 3: what the subject token is, and what we want.
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// `Bearer`, and what Slack calls its bearer tokens.
const BEARER: [&str; 3] = ["bearer", "bot", "user"];

/// The meaning of an error code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Means {
    /// The refresh token is not good: it was used before, or it ended or was revoked.
    InvalidGrant,
    /// The server cannot answer now.
    Busy,
    Refusal,
}

/// The error codes that custody repeats in its log. Any other could hold any text.
const CODES: [(&str, Means); 25] = [
    // RFC 6749 section 5.2.
    ("invalid_request", Means::Refusal),
    ("invalid_client", Means::Refusal),
    ("invalid_grant", Means::InvalidGrant),
    ("unauthorized_client", Means::Refusal),
    ("unsupported_grant_type", Means::Refusal),
    ("invalid_scope", Means::Refusal),
    // RFC 8707 section 2, RFC 8693 section 2.2.2.
    ("invalid_target", Means::Refusal),
    // RFC 9449 section 5.
    ("invalid_dpop_proof", Means::Refusal),
    // RFC 6749 section 4.1.2.1; servers also use them here.
    ("access_denied", Means::Refusal),
    ("server_error", Means::Busy),
    ("temporarily_unavailable", Means::Busy),
    // GitHub.
    ("bad_refresh_token", Means::InvalidGrant),
    ("incorrect_client_credentials", Means::Refusal),
    ("unverified_user_email", Means::Refusal),
    // Slack.
    ("invalid_refresh_token", Means::InvalidGrant),
    ("token_expired", Means::InvalidGrant),
    ("token_revoked", Means::InvalidGrant),
    ("invalid_client_id", Means::Refusal),
    ("bad_client_secret", Means::Refusal),
    ("invalid_auth", Means::Refusal),
    ("invalid_grant_type", Means::Refusal),
    ("ratelimited", Means::Busy),
    ("fatal_error", Means::Busy),
    ("internal_error", Means::Busy),
    ("service_unavailable", Means::Busy),
];

/// # Errors
/// [`BackendFault::Denied`] if the server refuses, [`BackendFault::Down`] if it cannot answer, or if
/// its answer has neither a token nor an error.
pub(super) fn read(answer: &Answer, expected: Expected) -> Result<Granted, BackendFault> {
    if answer.status != StatusCode::OK {
        return Err(refused(answer));
    }
    let mut raw: RawGranted = answer.json()?;
    let refresh = raw.refresh_token.take().filter(|token| !token.expose().is_empty());
    let has_error = raw.error.as_ref().is_some_and(|error| *error != Value::Null);
    let is_refused = raw.ok == Some(Value::Bool(false)) || has_error;
    match raw.access_token.take() {
        Some(token) if raw.ok != Some(Value::Bool(false)) => {
            Ok(Granted { access: access(token, &raw, expected), refresh })
        }
        _ if is_refused => Err(refused(answer)),
        _ => Err(BackendFault::Down("its answer has neither an access_token nor an error".into())),
    }
}

fn access(token: Secret, raw: &RawGranted, expected: Expected) -> Result<Access, BackendFault> {
    let kind = raw.token_type.as_ref().and_then(Value::as_str).unwrap_or_default();
    if !BEARER.iter().any(|bearer| kind.eq_ignore_ascii_case(bearer)) {
        return Err(BackendFault::Unfit("its token_type is not Bearer"));
    }
    // RFC 8693 section 2.2.1. A server that leaves the type out breaks the RFC; one that names
    // another gave something that is not an access token.
    let issued = raw.issued_token_type.as_deref().unwrap_or(ACCESS_TOKEN);
    if expected.is_exchanged && issued != ACCESS_TOKEN && issued != JWT {
        return Err(BackendFault::Unfit("its issued_token_type is not an access token"));
    }
    let text = token.expose();
    if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
        return Err(BackendFault::Unfit("its access_token is empty or not printable ASCII"));
    }
    let life = life(raw.expires_in.as_ref().unwrap_or(&Value::Null), expected.lifetime)?;
    Ok(Access { life, scope: scopes(raw.scope.as_ref())?, token })
}

/// A text of scopes, or a list of them; `None` if the server does not name any.
fn scopes(scope: Option<&Value>) -> Result<Option<Vec<String>>, BackendFault> {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let unfit = BackendFault::Unfit("its scope is neither a text nor a list of texts");
    match scope {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(words(text))),
        Some(Value::Array(texts)) => {
            let all = texts.iter().map(|text| text.as_str().map(words)).collect::<Option<Vec<_>>>();
            all.map(|all| Some(all.concat())).ok_or(unfit)
        }
        Some(_) => Err(unfit),
    }
}

/// A number of seconds; some servers write it as text, some with a fraction. Servers whose tokens do not
/// end write 0, or nothing.
fn life(expires_in: &Value, lifetime: Option<u64>) -> Result<Option<u64>, BackendFault> {
    let unfit = BackendFault::Unfit("its expires_in is not a number of seconds");
    let seconds = match expires_in {
        Value::Null => return Ok(lifetime),
        Value::Number(number) => number.as_u64().or_else(|| {
            let seconds = number.as_f64()?;
            // Saturates.
            (seconds == 0.0 || seconds >= 1.0).then_some(seconds as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match (seconds, lifetime) {
        (Some(0), Some(lifetime)) => Ok(Some(lifetime)),
        (Some(0), None) => Err(BackendFault::Unfit(
            "its expires_in is 0; fix: lifetime in the backend, if a token of this server lives on",
        )),
        (Some(seconds), _) => Ok(Some(seconds)),
        (None, _) => Err(unfit),
    }
}

/// Does the server refuse the refresh token as spent, expired or revoked?
pub(super) fn is_invalid_grant(fault: &BackendFault) -> bool {
    let BackendFault::Denied(text) = fault else { return false };
    let code = text.split(' ').next().unwrap_or_default();
    known(code).is_some_and(|(_, means)| means == Means::InvalidGrant)
}

fn known(code: &str) -> Option<(&'static str, Means)> {
    CODES.into_iter().find(|(known, _)| *known == code)
}

fn refused(answer: &Answer) -> BackendFault {
    let status = answer.status;
    let code = answer.json::<RawRefused>().ok().map(|refused| refused.error);
    let code = code
        .as_deref()
        .map(|code| known(code).unwrap_or(("a code that is not registered", Means::Refusal)));
    let text = match code {
        Some((code, _)) => format!("{code} (status {})", status.as_u16()),
        None => format!("status {}", status.as_u16()),
    };
    if status.is_redirection() {
        return BackendFault::Down(format!("{text}; redirects are not followed"));
    }
    let is_busy = code.is_some_and(|(_, means)| means == Means::Busy);
    let is_refusal = status.is_client_error() || status == StatusCode::OK;
    if is_busy || status == StatusCode::TOO_MANY_REQUESTS || !is_refusal {
        return BackendFault::Down(text);
    }
    BackendFault::Denied(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use zeroize::Zeroizing;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: Default::default(),
            body: Zeroizing::new(body.into()),
        }
    }

    const EXCHANGE: Expected = Expected { is_exchanged: true, lifetime: None };

    fn granted(change: &[(&str, Value)]) -> Result<Granted, BackendFault> {
        let mut body = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600});
        for (name, value) in change {
            body[*name] = value.clone();
        }
        read(&answer(200, &body.to_string()), EXCHANGE)
    }

    fn life_of(expires_in: Value) -> Result<Option<u64>, BackendFault> {
        granted(&[("expires_in", expires_in)])?.access.map(|access| access.life)
    }

    #[test]
    fn a_granted_token_is_read_with_its_refresh_token() {
        let change = [("token_type", json!("bEARER")), ("refresh_token", json!("r"))];
        let granted = granted(&change).ok().unwrap();
        assert_eq!(granted.access.ok().unwrap().token.expose(), b"t");
        assert_eq!(granted.refresh.unwrap().expose(), b"r");
        let both = ACCESS_TOKEN;
        assert!(self::granted(&[("issued_token_type", json!(both))]).ok().unwrap().access.is_ok());
    }

    #[test]
    fn lives_of_all_sorts() {
        let zero =
            "its expires_in is 0; fix: lifetime in the backend, if a token of this server lives on";
        let unfit = Err(BackendFault::Unfit("its expires_in is not a number of seconds"));
        for (text, life) in [("300", 300), ("\"300\"", 300), ("299.9", 299), ("1e30", u64::MAX)] {
            assert_eq!(life_of(serde_json::from_str(text).unwrap()), Ok(Some(life)), "{text}");
        }
        assert_eq!(life_of(Value::Null), Ok(None));
        for text in ["0", "0.0", "\"0\""] {
            let text: Value = serde_json::from_str(text).unwrap();
            assert_eq!(life_of(text.clone()), Err(BackendFault::Unfit(zero)));
            assert_eq!(life(&text, Some(60)), Ok(Some(60)));
        }
        assert_eq!(life(&Value::Null, Some(60)), Ok(Some(60)));
        assert_eq!(life(&json!("30"), Some(60)), Ok(Some(30)));
        for text in ["-1", "0.5", "-1e30", "\"\"", "\"-5\"", "\"soon\"", "[]", "true", "{}"] {
            let text: Value = serde_json::from_str(text).unwrap();
            assert_eq!(life_of(text.clone()), unfit, "{text}");
            assert_eq!(life(&text, Some(60)), unfit, "{text}");
        }
    }

    #[test]
    fn tokens_that_are_not_used() {
        for (name, value) in [
            ("token_type", json!("mac")),
            ("token_type", json!("N_A")),
            ("token_type", Value::Null),
            ("scope", json!(7)),
            ("scope", json!(["a", 7])),
            ("token_type", json!("DPoP")),
            ("issued_token_type", json!("urn:ietf:params:oauth:token-type:refresh_token")),
            ("access_token", json!("")),
            ("access_token", json!("a b")),
            ("access_token", json!("a\nb")),
            ("access_token", json!("tökn")),
        ] {
            let granted = granted(&[(name, value.clone()), ("refresh_token", json!("r"))]);
            let Granted { access, refresh } = granted.ok().unwrap();
            let fault = access.err().unwrap();
            assert!(matches!(fault, BackendFault::Unfit(_)), "{name} {value}: {fault}");
            assert_eq!(refresh.unwrap().expose(), b"r", "the next refresh token is kept");
        }
        for body in ["", "<html>", "[]", "{}", r#"{"access_token":null,"error":null}"#] {
            let fault = read(&answer(200, body), EXCHANGE).err().unwrap();
            assert!(matches!(fault, BackendFault::Down(_)), "{body}: {fault}");
        }
        let twice = r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#;
        assert!(read(&answer(200, twice), EXCHANGE).is_err());
    }

    #[test]
    fn scopes_of_all_sorts() {
        let of =
            |scope: Value| granted(&[("scope", scope)]).ok().unwrap().access.ok().unwrap().scope;
        let wanted = |scopes: &[&str]| Some(scopes.iter().map(|s| (*s).to_owned()).collect());
        assert_eq!(of(Value::Null), None);
        assert_eq!(of(json!("a  b")), wanted(&["a", "b"]));
        assert_eq!(of(json!(["a", "b c"])), wanted(&["a", "b", "c"]));
        assert_eq!(of(json!([])), wanted(&[]));
    }

    #[test]
    fn a_refusal_with_status_200_is_a_refusal() {
        let fault = |body: Value| read(&answer(200, &body.to_string()), EXCHANGE).err().unwrap();
        for (body, is_grant) in [
            (json!({"error": "bad_refresh_token", "error_description": "canary"}), true),
            (json!({"ok": false, "error": "invalid_refresh_token"}), true),
            (json!({"ok": false, "error": "token_expired", "access_token": "canary"}), true),
            (json!({"error": "incorrect_client_credentials"}), false),
            (json!({"error": "canary"}), false),
            (json!({"error": {"canary": 1}}), false),
            (json!({"ok": false}), false),
        ] {
            let fault = fault(body.clone());
            assert!(matches!(fault, BackendFault::Denied(_)), "{body}: {fault}");
            assert_eq!(is_invalid_grant(&fault), is_grant, "{body}: {fault}");
            assert!(!fault.to_string().contains("canary"), "{fault}");
        }
        for code in ["ratelimited", "temporarily_unavailable", "internal_error"] {
            let fault = fault(json!({"ok": false, "error": code}));
            assert!(matches!(fault, BackendFault::Down(_)), "{fault}");
        }
        // A token beside a member of that name is a token.
        for change in [("error", Value::Null), ("error", json!("")), ("ok", json!(true))] {
            assert!(granted(&[change]).ok().unwrap().access.is_ok());
        }
        let slack = [("ok", json!(true)), ("token_type", json!("bot"))];
        assert!(granted(&slack).ok().unwrap().access.is_ok());
    }

    #[test]
    fn refusals_tell_their_code_and_nothing_else() {
        let told = |status, body: &str| refused(&answer(status, body)).to_string();
        let body = r#"{"error":"invalid_grant","error_description":"canary"}"#;
        assert_eq!(told(400, body), "the backend refuses: invalid_grant (status 400)");
        let unknown = told(400, r#"{"error":"canary"}"#);
        assert_eq!(unknown, "the backend refuses: a code that is not registered (status 400)");
        assert_eq!(told(403, "canary"), "the backend refuses: status 403");
        for (status, body) in [
            (500, ""),
            (503, r#"{"error":"temporarily_unavailable"}"#),
            (400, r#"{"error":"temporarily_unavailable"}"#),
            (429, ""),
            (204, ""),
            (302, ""),
        ] {
            let fault = refused(&answer(status, body));
            assert!(matches!(fault, BackendFault::Down(_)), "{status}: {fault}");
        }
        let told = |body: &str| is_invalid_grant(&refused(&answer(400, body)));
        assert!(told(r#"{"error":"invalid_grant"}"#));
        assert!(!told(r#"{"error":"invalid_client"}"#) && !told("invalid_grant"));
    }
}
