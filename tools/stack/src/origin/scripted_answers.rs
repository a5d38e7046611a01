//! What the origin is told to answer in place of an echo.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

/// An answer.
#[derive(Clone, Debug)]
pub struct ScriptedAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// In pieces.
    pub body: Vec<Bytes>,
}

/// By path, without query.
#[derive(Clone, Debug, Default)]
pub struct ScriptedAnswers(Arc<Mutex<HashMap<String, ScriptedAnswer>>>);

// === impl ScriptedAnswers ===

impl ScriptedAnswers {
    /// These from now on, and none of those before.
    pub fn replace(&self, scripted_answers: HashMap<String, ScriptedAnswer>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = scripted_answers;
    }

    pub(super) fn of(&self, path: &str) -> Option<ScriptedAnswer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }
}

impl IntoResponse for ScriptedAnswer {
    fn into_response(self) -> Response {
        let pieces = self.body.into_iter().map(Ok::<_, Infallible>);
        let mut response = Body::from_stream(stream::iter(pieces)).into_response();
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = self.headers.iter().filter_map(|(name, value)| {
            let name = HeaderName::try_from(name).ok()?;
            Some((name, HeaderValue::try_from(value).ok()?))
        });
        response.headers_mut().extend(headers);
        response
    }
}
