//! The answer to a lease request, without making one.

use super::Admin;
use super::operator::Operator;
use crate::api::answer::ok;
use crate::api::body;
use crate::api::limits;
use crate::api::refusal::Refusal;
use crate::grants::{Covering, Gap};
use axum::extract::{Request, State};
use axum::response::Response;
use custody_ledger::{AccessState, Claimant};
use lease::{
    Authority, Binding, HTTPS_PORT, Handle, LeaseRequest, METHOD_LENGTH, Secret, is_method,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A lease request as it might come. The claims are taken as they are: nothing is leased.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Of the session, as in its token. With those that name a session, revocation is looked at too.
    pub claims: Map<String, Value>,
    #[schemars(schema_with = "limits::handle")]
    pub handle: String,
    /// `api.github.com`, or with a port.
    #[schemars(schema_with = "limits::destination")]
    pub destination: String,
    #[schemars(schema_with = "limits::method")]
    pub method: String,
    #[serde(default)]
    pub binding: AskedBinding,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskedBinding {
    #[default]
    Session,
    SingleUse,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    pub granted: bool,
    /// `granted`; or the reason against it: `handle`, `destination`, `method`, `binding`, `claims`, `actor`
    /// (which the closest grant lacks), `kill_switch`, `session_revoked`, `handle_revoked`, `actor_revoked`.
    pub why: String,
    /// The same for people.
    pub detail: String,
    /// The grant that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantShown>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantShown {
    /// Its place in the file, from 0.
    pub place: u64,
    pub actor: String,
    /// Seconds a lease lives.
    pub ttl: u64,
}

pub async fn check(
    State(admin): State<Arc<Admin>>,
    _: Operator,
    request: Request,
) -> Result<Response, Refusal> {
    let Question { claims, handle, destination, method, binding } = body::json(request).await?;
    let handle: Handle =
        handle.parse().map_err(|error| Refusal::bad_request(format!("handle: {error}")))?;
    let destination = Authority::parse(destination.as_bytes(), HTTPS_PORT)
        .map_err(|error| Refusal::bad_request(format!("destination: {error}")))?;
    if !is_method(&method) {
        let what = format!("method: is 1 to {METHOD_LENGTH} of A-Z a-z _ -");
        return Err(Refusal::bad_request(what));
    }
    let asked = LeaseRequest {
        session: Secret::new(Vec::new()),
        handle: handle.clone(),
        destination,
        method,
        path: "/".into(),
        fingerprint: None,
        idempotency_key: None,
        body_digest: None,
        binding: match binding {
            AskedBinding::Session => Binding::Session,
            AskedBinding::SingleUse => Binding::SingleUse,
        },
    };
    let grants = admin.grants.current();
    let verdict = match grants.covering_claims(&claims, &asked) {
        Err(gap) => Verdict::denied(gap.code(), of_gap(gap)),
        Ok(covering) => {
            // Empty, which no session's name is, if the claims name none.
            let session = admin.issuers.name_of(&claims).unwrap_or_default();
            let claimant = Claimant { session: &session, handle: &handle, actor: &covering.actor };
            let access_state = admin.ledger.access_state(claimant).await?;
            verdict_of(&covering, &access_state)
        }
    };
    Ok(ok(&verdict))
}

fn verdict_of(covering: &Covering, access_state: &AccessState) -> Verdict {
    let Covering { grant, actor, place } = covering;
    let AccessState { kill_switch, session_revoked, handle_revoked, actor_revoked, .. } =
        *access_state;
    let reasons = [
        (kill_switch, "kill_switch", "the kill switch is on"),
        (session_revoked, "session_revoked", "the session is revoked"),
        (handle_revoked, "handle_revoked", "the handle is revoked"),
        (actor_revoked, "actor_revoked", "the actor is revoked"),
    ];
    if let Some((_, why, detail)) = reasons.into_iter().find(|(stands, ..)| *stands) {
        return Verdict::denied(why, detail);
    }
    Verdict {
        granted: true,
        why: "granted".into(),
        detail: format!("grants[{place}] covers it"),
        grant: Some(GrantShown { place: *place as u64, actor: actor.to_string(), ttl: grant.ttl }),
    }
}

fn of_gap(gap: Gap) -> &'static str {
    match gap {
        Gap::Handle => "no grant names this handle",
        Gap::Destination => "no grant of this handle names this destination",
        Gap::Method => "no grant of this handle and destination allows this method",
        Gap::Binding => "no grant that would cover it gives leases of this binding",
        Gap::Claims => "the session lacks the claims that the grant demands",
        Gap::Actor => {
            "the claim that names the actor is absent, or is not 1 to 128 of A-Z a-z 0-9 . _ -"
        }
    }
}

// === impl Verdict ===

impl Verdict {
    fn denied(why: &str, detail: &str) -> Self {
        Self { granted: false, why: why.into(), detail: detail.into(), grant: None }
    }
}
