//! What a token is held against besides its signature.

use crate::algorithm::Algorithm;
use crate::conditions::ClaimConditions;
use crate::session_name::{SEPARATOR, SessionName};

/// The longest token that is looked at, in bytes.
pub const TOKEN_BYTES: usize = 8192;
/// How long after its `iat` a token ends at the latest, in seconds, if the configuration says nothing.
pub const LIFETIME_DEFAULT: u64 = 3600;
/// No configuration makes a token last longer than this, in seconds.
pub const LIFETIME_CEILING: u64 = 24 * 3600;
/// Allowance for clocks that differ, in seconds, if the configuration names none.
pub const LEEWAY_DEFAULT: u64 = 30;
/// No leeway is longer than this, in seconds.
pub const LEEWAY_CEILING: u64 = 300;
/// Issuers that one configuration may have.
pub const ISSUERS: usize = 32;

/// Which tokens of one issuer are believed, and how far clocks may differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// `iss` must be exactly this, byte for byte.
    pub issuer: String,
    /// `aud` must be, or contain, one of these.
    pub audiences: Vec<String>,
    /// `alg` must be one of these.
    pub algorithms: Vec<Algorithm>,
    /// Seconds after `iat` when a token ends, if its `exp` is later. [`Verifier::new`](crate::Verifier::new)
    /// cuts it to [`LIFETIME_CEILING`].
    pub max_lifetime: u64,
    pub name: SessionName,
    /// What else a token must say.
    pub required_claims: ClaimConditions,
    /// Seconds, for `nbf` and `iat`; there is none for `exp`. [`Verifier::new`](crate::Verifier::new) cuts it
    /// to [`LEEWAY_CEILING`]; configurations should refuse more with an error of their own.
    pub leeway: u64,
}

/// What is wrong with the configuration of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesError {
    /// The field within the issuer: `audiences[0]`.
    pub field: String,
    pub reason: String,
}

// === impl Rules ===

impl Rules {
    /// With the default of all else.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Rules {
        Rules {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            algorithms: Algorithm::ALL.to_vec(),
            max_lifetime: LIFETIME_DEFAULT,
            name: SessionName::default(),
            required_claims: ClaimConditions::default(),
            leeway: LEEWAY_DEFAULT,
        }
    }

    /// Everything that is wrong with one issuer's rules.
    pub fn errors(&self) -> Vec<RulesError> {
        let mut errors = Vec::new();
        let mut error = |field: String, reason: &str| {
            errors.push(RulesError { field, reason: reason.to_owned() });
        };
        if self.issuer.is_empty() {
            error("issuer".into(), "must not be empty");
        }
        if self.issuer.contains(SEPARATOR) {
            error("issuer".into(), "must not have a #; it stands before a session's own name");
        }
        if self.audiences.is_empty() {
            error("audiences".into(), "must not be empty; name what `aud` must hold");
        }
        for (n, audience) in self.audiences.iter().enumerate() {
            if audience.is_empty() {
                error(format!("audiences[{n}]"), "must not be empty");
            }
        }
        if self.algorithms.is_empty() {
            error("algorithms".into(), "must not be empty; leave it out to accept all three");
        }
        if !(1..=LIFETIME_CEILING).contains(&self.max_lifetime) {
            error("max_lifetime".into(), "from 1s to 24h");
        }
        errors
    }
}

/// What is wrong with several issuers beside one another: the place of the issuer, and the error.
pub fn errors_between(issuers: &[&Rules]) -> Vec<(usize, RulesError)> {
    let mut errors = Vec::new();
    let mut error = |place, reason: &str| {
        errors.push((place, RulesError { field: "issuer".into(), reason: reason.to_owned() }));
    };
    for (place, rules) in issuers.iter().enumerate() {
        let mut before = issuers.iter().take(place);
        if before.any(|other| other.issuer == rules.issuer) {
            error(place, "is configured twice; one entry has all keys and audiences of an issuer");
        }
    }
    if issuers.len() > ISSUERS {
        error(ISSUERS, "is one issuer too many; at most 32");
    }
    errors
}

/// Whether these conditions say of whose sessions they speak: with several issuers, a claim of one issuer
/// must not stand for the same claim of another.
pub fn names_its_issuer(conditions: &ClaimConditions) -> bool {
    conditions.is_empty() || conditions.has("iss")
}

/// What is wrong with the way the issuers are written in the section `session`: as the list `issuers`, or as a
/// single one in the short form, whose fields `issuer`, `audience` and `keys` are each there or not. The fields
/// of the errors are the section's.
pub fn errors_of_form(has_list: bool, has_short: [bool; 3]) -> Vec<RulesError> {
    let error =
        |field: &str, reason: &str| RulesError { field: field.into(), reason: reason.into() };
    if has_list {
        let reason = "stands beside issuer, audience or keys; write them as an entry of issuers";
        let is_both = has_short.contains(&true);
        return is_both.then(|| error("issuers", reason)).into_iter().collect();
    }
    let fields = ["issuer", "audience", "keys"].into_iter().zip(has_short);
    fields
        .filter(|(_, is_there)| !is_there)
        .map(|(field, _)| error(field, "is missing; write issuer, audience and keys, or issuers"))
        .collect()
}

/// Where a field of the issuer at this place is written: in the short form, or in the list `issuers`.
pub fn issuer_field(is_short: bool, place: usize, field: &str) -> String {
    match (is_short, field) {
        (true, "audiences" | "audiences[0]") => "session.audience".to_owned(),
        (true, field) => format!("session.{field}"),
        (false, field) => format!("session.issuers[{place}].{field}"),
    }
}
