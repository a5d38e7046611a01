//! What a token endpoint answers (RFC 6749 section 5).

use crate::BackendFault;
use custody_base::outbound::{Answer, StatusCode, optional_secret, secret};
use lease::Secret;
use serde::Deserialize;
use serde_json::Value;

/// The server said yes.
pub(super) struct Granted {
    /// [`BackendFault::Unfit`] for a token that is not to be used.
    pub access: Result<Access, BackendFault>,
    /// A new refresh token, in place of the one that was spent; also beside an unfit access token.
    pub refresh: Option<Secret>,
}

/// A token, not yet held against what was asked.
pub(super) struct Access {
    pub token: Secret,
    /// Seconds; `None` if the server did not say.
    pub life: Option<u64>,
    pub scope: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawGranted {
    #[serde(deserialize_with = "secret")]
    access_token: Secret,
    token_type: String,
    expires_in: Option<Value>,
    scope: Option<String>,
    #[serde(default, deserialize_with = "optional_secret")]
    refresh_token: Option<Secret>,
    issued_token_type: Option<String>,
}

#[derive(Deserialize)]
struct RawRefused {
    error: String,
}

/// RFC 8693 section 3: what the subject token is, and what we want.
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const INVALID_GRANT: &str = "invalid_grant";
/// Codes of RFC 6749 section 5.2, RFC 8707 and RFC 8693 (`invalid_target`), RFC 9449 and the two of
/// RFC 6749 section 4.1.2.1 that servers also use here. Another code could be any text at all.
const REGISTERED: [&str; 11] = [
    "invalid_request",
    "invalid_client",
    INVALID_GRANT,
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "invalid_dpop_proof",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
];

/// # Errors
/// [`BackendFault::Denied`] if the server says no, [`BackendFault::Down`] if it cannot answer, or
/// answers with something that is none.
pub(super) fn read(answer: &Answer, exchanged: bool) -> Result<Granted, BackendFault> {
    if answer.status != StatusCode::OK {
        return Err(refused(answer));
    }
    let mut raw: RawGranted = answer.json()?;
    let refresh = raw.refresh_token.take().filter(|token| !token.expose().is_empty());
    Ok(Granted { access: access(raw, exchanged), refresh })
}

fn access(raw: RawGranted, exchanged: bool) -> Result<Access, BackendFault> {
    if !raw.token_type.eq_ignore_ascii_case("Bearer") {
        return Err(BackendFault::Unfit("its token_type is not Bearer"));
    }
    // RFC 8693 section 2.2.1. A server that leaves the type out breaks the RFC; one that names
    // another gave something that is not an access token.
    let issued = raw.issued_token_type.as_deref().unwrap_or(ACCESS_TOKEN);
    if exchanged && issued != ACCESS_TOKEN && issued != JWT {
        return Err(BackendFault::Unfit("its issued_token_type is not an access token"));
    }
    let text = raw.access_token.expose();
    if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
        return Err(BackendFault::Unfit("its access_token is empty or not printable ASCII"));
    }
    Ok(Access {
        life: raw.expires_in.as_ref().map_or(Ok(None), life)?,
        scope: raw.scope.map(|scope| scope.split_whitespace().map(str::to_owned).collect()),
        token: raw.access_token,
    })
}

/// A number of seconds; some servers write it as text, some with a fraction.
fn life(expires_in: &Value) -> Result<Option<u64>, BackendFault> {
    let seconds = match expires_in {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64().or_else(|| {
            let seconds = number.as_f64()?;
            // Saturates, and everything under one is 0.
            (seconds >= 0.0).then_some(seconds as u64)
        }),
        Value::String(text) => text.parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match seconds {
        Some(seconds) if seconds > 0 => Ok(Some(seconds)),
        Some(_) | None => Err(BackendFault::Unfit("its expires_in is not in the future")),
    }
}

/// Does the server say that the refresh token is not good: spent, expired or revoked?
pub(super) fn is_invalid_grant(fault: &BackendFault) -> bool {
    matches!(fault, BackendFault::Denied(text) if text.starts_with(INVALID_GRANT))
}

fn refused(answer: &Answer) -> BackendFault {
    let status = answer.status;
    let code = answer.json::<RawRefused>().ok().map(|refused| refused.error);
    let code = code.as_deref().map(|code| {
        let known = REGISTERED.iter().find(|known| **known == code);
        known.copied().unwrap_or("a code that is not registered")
    });
    let text = match code {
        Some(code) => format!("{code} (status {})", status.as_u16()),
        None => format!("status {}", status.as_u16()),
    };
    if status.is_redirection() {
        return BackendFault::Down(format!("{text}; redirects are not followed"));
    }
    let busy = matches!(code, Some("temporarily_unavailable" | "server_error"));
    if busy || status == StatusCode::TOO_MANY_REQUESTS || !status.is_client_error() {
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

    fn granted(change: &[(&str, Value)]) -> Result<Granted, BackendFault> {
        let mut body = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 3600});
        for (name, value) in change {
            body[*name] = value.clone();
        }
        read(&answer(200, &body.to_string()), true)
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
        let unfit = Err(BackendFault::Unfit("its expires_in is not in the future"));
        for (text, life) in [("300", 300), ("\"300\"", 300), ("299.9", 299), ("1e30", u64::MAX)] {
            assert_eq!(life_of(serde_json::from_str(text).unwrap()), Ok(Some(life)), "{text}");
        }
        assert_eq!(life_of(Value::Null), Ok(None));
        for text in ["0", "-1", "0.5", "-1e30", "\"\"", "\"-5\"", "\"soon\"", "[]", "true", "{}"] {
            assert_eq!(life_of(serde_json::from_str(text).unwrap()), unfit, "{text}");
        }
    }

    #[test]
    fn tokens_that_are_not_used() {
        for (name, value) in [
            ("token_type", json!("mac")),
            ("token_type", json!("N_A")),
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
        for body in ["", "<html>", "[]", "{}", r#"{"access_token":"t"}"#] {
            let fault = read(&answer(200, body), false).err().unwrap();
            assert!(matches!(fault, BackendFault::Down(_)), "{body}: {fault}");
        }
        let twice = r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#;
        assert!(read(&answer(200, twice), false).is_err());
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
