//! Bodies of requests: bounded, read once, and wiped.

use crate::api::refusal::Refusal;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use zeroize::Zeroizing;

/// The largest body, in bytes: a credential of 64 KiB in base64 leaves room for its names.
pub const LIMIT: usize = 128 * 1024;

/// The whole body.
///
/// # Errors
/// It is longer than [`LIMIT`], or broke off.
pub async fn read(request: Request) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    match to_bytes(request.into_body(), LIMIT).await {
        Ok(body) => Ok(Zeroizing::new(Vec::from(body))),
        Err(_) => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("a body is at most {LIMIT} bytes, and whole"),
        )),
    }
}

/// A body as JSON. The error names the field and repeats no value.
///
/// # Errors
/// It does not follow the schema.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner());
        let at = format!("line {}, column {}", inner.line(), inner.column());
        if inner.is_data() && path != "." {
            Refusal::bad_request(format!("{path}: does not follow the schema ({at})"))
        } else if inner.is_data() {
            Refusal::bad_request(format!("does not follow the schema ({at})"))
        } else {
            Refusal::bad_request(format!("not JSON ({at})"))
        }
    })?;
    json.end().map_err(|_| Refusal::bad_request("something stands behind the JSON"))?;
    Ok(read)
}

/// [`read`] and [`parse`].
///
/// # Errors
/// Of either.
pub async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    parse(&read(request).await?)
}

/// A whole number as JSON Schema means it: `820.0` is one. For a field that may be absent.
///
/// # Errors
/// It is not a whole number, or it is negative.
pub fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(from)? else { return Ok(None) };
    let whole = |float: f64| (float.fract() == 0.0).then(|| format!("{float:.0}").parse().ok());
    let read = number.as_u64().or_else(|| number.as_f64().and_then(whole).flatten());
    read.map(Some).ok_or_else(|| D::Error::custom("expected a whole number"))
}
