//! Every operation of the admin listener.

use super::check::{Question, Verdict};
use super::credentials::{CredentialList, Deleted};
use super::grants::GrantsInForce;
use super::kill_switch::KillSwitch;
use super::leases::LeaseList;
use super::operator::Operator;
use super::revocations::{Restored, RevocationList, RevocationOrder, Revoked};
use super::sessions::SessionList;
use super::status::Status;
use super::target::Kind;
use super::{
    Admin, TIME_LIMIT, check, credentials, grants, kill_switch, leases, revocations, root_key,
    sessions, status,
};
use crate::api::answer::ok;
use crate::api::bounded;
use crate::api::credential::{Shown, Stored};
use crate::api::limits;
use crate::api::operation::{
    Answered, Operation, Parameter, Place, SchemaOf, Verb, router, schema_of,
};
use crate::vault::CredentialShown;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use custody_backends::sealed::Rotated;
use std::sync::Arc;

type Refusals = &'static [(u16, &'static str)];

const UNNAMED: (u16, &str) = (403, "the certificate names nobody");
const BAD: (u16, &str) = (400, "a field is missing, unknown or wrong; the detail names it");
const LARGE: (u16, &str) = (413, "the body is too large");
const ABSENT: (u16, &str) = (404, "there is none");
const DOWN: (u16, &str) =
    (503, "audit log, ledger or store do not answer; without an audit record nothing is changed");
/// Of operations that only read.
const READS: Refusals = &[UNNAMED, DOWN];

/// The routes of the admin listener.
pub fn routes(admin: Arc<Admin>) -> Router {
    bounded(router(&all()), TIME_LIMIT).with_state(admin)
}

/// The table.
pub fn all() -> Vec<Operation<Arc<Admin>>> {
    let mut all =
        vec![seen("status", "/v1/status", "How custody is.", schema_of::<Status>, || {
            get(status::get)
        })];
    all.extend(listings());
    all.extend(revoking());
    all.extend(storing());
    all.extend(granting());
    all.push(Operation {
        answer: Answered::Json(|_| schemars::json_schema!({"type": "object"})),
        ..seen("describe", "/openapi.json", "This description.", schema_of::<Status>, || {
            get(describe)
        })
    });
    all
}

async fn describe(State(admin): State<Arc<Admin>>, _: Operator) -> Response {
    ok(&admin.description)
}

fn listings() -> Vec<Operation<Arc<Admin>>> {
    const FILTERS: &[Parameter] = &[
        query("session", "only of this session", limits::session_id),
        query("lease", "only this lease", limits::lease_id),
        query("handle", "only of this handle", limits::handle),
        query("actor", "only of this actor", limits::handle),
        query("all", "also those that have ended", schema_of::<bool>),
        query("limit", "at most so many; default 100", limits::limit),
    ];
    vec![
        Operation {
            parameters: FILTERS,
            refusals: &[BAD, UNNAMED, DOWN],
            ..seen(
                "leases",
                "/v1/leases",
                "Leases that were given.",
                schema_of::<LeaseList>,
                || get(leases::list),
            )
        },
        seen(
            "sessions",
            "/v1/sessions",
            "Sessions that hold leases.",
            schema_of::<SessionList>,
            || get(sessions::list),
        ),
        seen(
            "revocations",
            "/v1/revocations",
            "What is revoked.",
            schema_of::<RevocationList>,
            || get(revocations::list),
        ),
        seen(
            "killSwitch",
            "/v1/kill-switch",
            "Whether everything is denied.",
            schema_of::<KillSwitch>,
            || get(kill_switch::get),
        ),
        seen(
            "credentials",
            "/v1/credentials",
            "What is stored; never the secrets.",
            schema_of::<CredentialList>,
            || get(credentials::list),
        ),
    ]
}

fn revoking() -> Vec<Operation<Arc<Admin>>> {
    const TARGET: &[Parameter] = &[
        Parameter {
            name: "kind",
            place: Place::Path,
            meaning: "what is named",
            schema: schema_of::<Kind>,
        },
        Parameter {
            name: "id",
            place: Place::Path,
            meaning: "percent-encoded; a lease's, handle's or actor's as in a list of those",
            schema: limits::target_id,
        },
    ];
    vec![
        Operation {
            verb: Verb::Post,
            body: Some(schema_of::<RevocationOrder>),
            refusals: &[BAD, UNNAMED, LARGE, DOWN],
            ..seen(
                "revoke",
                "/v1/revocations",
                "Revoke a session, lease, handle or actor.",
                schema_of::<Revoked>,
                || post(revocations::revoke),
            )
        },
        Operation {
            verb: Verb::Delete,
            parameters: TARGET,
            refusals: &[BAD, UNNAMED, ABSENT, DOWN],
            ..seen(
                "restore",
                "/v1/revocations/{kind}/{id}",
                "Take a revocation back.",
                schema_of::<Restored>,
                || delete(revocations::restore),
            )
        },
        Operation {
            verb: Verb::Put,
            body: Some(schema_of::<KillSwitch>),
            refusals: &[BAD, UNNAMED, LARGE, DOWN],
            ..seen(
                "setKillSwitch",
                "/v1/kill-switch",
                "Deny everything, or stop doing so.",
                schema_of::<KillSwitch>,
                || put(kill_switch::put),
            )
        },
    ]
}

fn storing() -> Vec<Operation<Arc<Admin>>> {
    const PATH: &str = "/v1/credentials/{actor}/{handle}";
    const PLACE: &[Parameter] = &[
        Parameter { name: "actor", place: Place::Path, meaning: "whose", schema: limits::handle },
        Parameter {
            name: "handle",
            place: Place::Path,
            meaning: "its name",
            schema: limits::handle,
        },
    ];
    let here = |id, summary, schema, handler| Operation {
        parameters: PLACE,
        refusals: &[BAD, UNNAMED, ABSENT, DOWN],
        ..seen(id, PATH, summary, schema, handler)
    };
    vec![
        here(
            "credential",
            "What is stored here; never the secret.",
            schema_of::<CredentialShown>,
            || get(credentials::get),
        ),
        Operation {
            verb: Verb::Put,
            body: Some(schema_of::<Shown<'_>>),
            refusals: &[BAD, UNNAMED, LARGE, DOWN],
            ..here("putCredential", "Store or replace a credential.", schema_of::<Stored>, || {
                put(credentials::put)
            })
        },
        Operation {
            verb: Verb::Delete,
            ..here("deleteCredential", "Delete a credential.", schema_of::<Deleted>, || {
                delete(credentials::delete)
            })
        },
        Operation {
            verb: Verb::Post,
            ..seen(
                "rotateRootKey",
                "/v1/root-key/rotate",
                "Read the root key again and seal everything anew under it; what takes longer than \
                 an answer may goes on, and asking again does the rest.",
                schema_of::<Rotated>,
                || post(root_key::rotate),
            )
        },
    ]
}

fn granting() -> Vec<Operation<Arc<Admin>>> {
    vec![
        Operation {
            verb: Verb::Post,
            body: Some(schema_of::<Question>),
            refusals: &[BAD, UNNAMED, LARGE, DOWN],
            ..seen(
                "checkGrants",
                "/v1/grants/check",
                "Whether this would be leased; nothing is.",
                schema_of::<Verdict>,
                || post(check::check),
            )
        },
        Operation {
            verb: Verb::Post,
            refusals: &[
                UNNAMED,
                (422, "the file has faults, which the detail lists; the old grants stay"),
                DOWN,
            ],
            ..seen(
                "reloadGrants",
                "/v1/grants/reload",
                "Read the grants again; all of them or none.",
                schema_of::<GrantsInForce>,
                || post(grants::reload),
            )
        },
    ]
}

/// A `GET` that answers JSON.
fn seen(
    id: &'static str,
    path: &'static str,
    summary: &'static str,
    answer: SchemaOf,
    handler: fn() -> axum::routing::MethodRouter<Arc<Admin>>,
) -> Operation<Arc<Admin>> {
    Operation {
        id,
        verb: Verb::Get,
        path,
        summary,
        parameters: &[],
        body: None,
        answer: Answered::Json(answer),
        refusals: READS,
        handler,
    }
}

const fn query(name: &'static str, meaning: &'static str, schema: SchemaOf) -> Parameter {
    Parameter { name, place: Place::Query, meaning, schema }
}
