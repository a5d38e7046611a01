//! The outcome of an operation: `POST /v1/leases/{id}/outcome`.

use crate::request::Malformed;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The upstream took the request; its answer was not seen.
    Accepted,
    /// The upstream answered.
    Delivered,
    Failed,
}

/// The report of an edge. An upstream's own words are never in it: a code is all there is room for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeReport {
    pub outcome: Outcome,
    /// `^[a-z][a-z0-9_]{0,63}$`; with [`Outcome::Failed`] only, and then always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
}

/// Custody's answer to a report it does not take: `{"code": "unknown_lease"}` and a status. One that
/// it takes is answered 204.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeRefusal {
    /// The report was not understood.
    BadRequest,
    /// Custody issued no lease of this id, or one of which it accepts only a report of a failure.
    UnknownLease,
    /// The first report stays.
    AlreadySettled,
    Unavailable,
}

// === impl OutcomeReport ===

impl OutcomeReport {
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        serde_json::to_vec(self).map_err(|_| Malformed)
    }

    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let report: Self = serde_json::from_slice(body).map_err(|_| Malformed)?;
        let fits = match (&report.outcome, &report.failure_code) {
            (Outcome::Failed, Some(code)) => is_failure_code(code),
            (Outcome::Failed, None) | (_, Some(_)) => false,
            (Outcome::Accepted | Outcome::Delivered, None) => true,
        };
        if fits { Ok(report) } else { Err(Malformed) }
    }
}

/// Bytes of a failure code, at most.
pub const FAILURE_CODE_LENGTH: usize = 64;

fn is_failure_code(code: &str) -> bool {
    let mut bytes = code.bytes();
    code.len() <= FAILURE_CODE_LENGTH
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

// === impl OutcomeRefusal ===

impl OutcomeRefusal {
    pub const ALL: [Self; 4] =
        [Self::BadRequest, Self::UnknownLease, Self::AlreadySettled, Self::Unavailable];

    pub const fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UnknownLease => "unknown_lease",
            Self::AlreadySettled => "already_settled",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status it travels with.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::UnknownLease => 404,
            Self::AlreadySettled => 409,
            Self::Unavailable => 503,
        }
    }

    /// One sentence, for descriptions of the interface.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::BadRequest => "The report does not match the contract.",
            Self::UnknownLease => {
                "Custody issued no lease of this id, or one that is reported only as failed."
            }
            Self::AlreadySettled => "An earlier report of this lease counts.",
            Self::Unavailable => "The ledger or the audit log fails now.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_nothing_else() {
        let failed = |code: &str| {
            OutcomeReport::decode(
                format!(r#"{{"outcome":"failed","failure_code":{code:?}}}"#).as_bytes(),
            )
        };
        assert!(failed("upstream_reset").is_ok());
        assert!(failed(&"a".repeat(64)).is_ok());
        for bad in ["", "A", "1a", "_a", "a-b", "a b", "a\n", "é", &"a".repeat(65)] {
            assert_eq!(failed(bad).err(), Some(Malformed), "{bad:?}");
        }
        for (body, fine) in [
            (r#"{"outcome":"delivered"}"#, true),
            (r#"{"outcome":"accepted"}"#, true),
            (r#"{"outcome":"failed"}"#, false),
            (r#"{"outcome":"delivered","failure_code":"a"}"#, false),
            (r#"{"outcome":"delivered","text":"<html>"}"#, false),
            (r#"{"outcome":"lost"}"#, false),
        ] {
            assert_eq!(OutcomeReport::decode(body.as_bytes()).is_ok(), fine, "{body}");
        }
    }
}
