//! Why an operator or a worker did not get what they asked for.

use crate::api::answer::json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use custody_audit::AuditFault;
use custody_ledger::LedgerFault;
use schemars::JsonSchema;
use serde::Serialize;

/// A refusal: a status, a code for programs and a text for people. Unlike edges, operators get the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
}

/// A refusal on the wire.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusalBody<'a> {
    /// Stable, for programs.
    pub code: &'a str,
    /// For people; may change.
    pub detail: &'a str,
}

/// As [`RefusalBody`], for who reads it.
#[derive(Debug, serde::Deserialize)]
pub struct Refused {
    pub code: String,
    pub detail: String,
}

// === impl Refusal ===

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    pub fn unauthorized(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    pub fn unavailable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(self.status, &RefusalBody { code: self.code, detail: &self.detail })
    }
}

impl From<AuditFault> for Refusal {
    fn from(fault: AuditFault) -> Self {
        Self::unavailable("audit_unavailable", format!("nothing was changed: {fault}"))
    }
}

impl From<getrandom::Error> for Refusal {
    fn from(_: getrandom::Error) -> Self {
        Self::unavailable("no_randomness", "the operating system gave none")
    }
}

impl From<LedgerFault> for Refusal {
    fn from(fault: LedgerFault) -> Self {
        Self::unavailable("ledger_unavailable", fault.to_string())
    }
}
