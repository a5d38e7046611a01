//! Every operation of the workers' listener.

use super::fetch::{FetchOrder, Fetched};
use super::store::StoreOrder;
use super::teardown::{TeardownOrder, TornDown};
use super::{TIME_LIMIT, Workers, fetch, store, teardown};
use crate::api::bounded;
use crate::api::credential::Stored;
use crate::api::operation::{Answered, Operation, SchemaOf, Verb, router, schema_of};
use axum::Router;
use axum::routing::{MethodRouter, post};
use std::sync::Arc;

type Refusals = &'static [(u16, &'static str)];

const REFUSALS: Refusals = &[
    (400, "a field is missing, unknown or wrong; the detail names it"),
    (401, "no capability token, or one that is not believed, too old, or used before"),
    (403, "the token is for something else"),
    (413, "the body is too large"),
    (503, "audit log, ledger, store or backend do not answer"),
];
const FETCH_REFUSALS: Refusals = &[
    (400, "a field is missing, unknown or wrong; the detail names it"),
    (401, "no capability token, or one that is not believed, too old, or used before"),
    (
        403,
        "the token is for something else; or the kill switch is on, or the handle or actor revoked",
    ),
    (404, "nothing is stored under this service"),
    (413, "the body is too large"),
    (503, "audit log, ledger, store or backend do not answer"),
];

/// The routes of the workers' listener.
pub fn routes(workers: Arc<Workers>) -> Router {
    bounded(router(&all()), TIME_LIMIT).with_state(workers)
}

/// The table.
pub fn all() -> Vec<Operation<Arc<Workers>>> {
    vec![
        posted(
            "storeCredential",
            "/v1/cred/store",
            "Store or replace a credential.",
            (schema_of::<StoreOrder>, schema_of::<Stored>),
            REFUSALS,
            || post(store::store),
        ),
        posted(
            "fetchCredential",
            "/v1/cred/fetch",
            "Fetch a credential, of any type.",
            (schema_of::<FetchOrder>, schema_of::<Fetched<'_>>),
            FETCH_REFUSALS,
            || post(fetch::fetch),
        ),
        posted(
            "teardown",
            "/v1/cred/teardown",
            "Delete every credential of an actor and revoke its leases.",
            (schema_of::<TeardownOrder>, schema_of::<TornDown>),
            REFUSALS,
            || post(teardown::teardown),
        ),
    ]
}

fn posted(
    id: &'static str,
    path: &'static str,
    summary: &'static str,
    (body, answer): (SchemaOf, SchemaOf),
    refusals: Refusals,
    handler: fn() -> MethodRouter<Arc<Workers>>,
) -> Operation<Arc<Workers>> {
    let answer = Answered::Json(answer);
    Operation {
        id,
        verb: Verb::Post,
        path,
        summary,
        parameters: &[],
        body: Some(body),
        answer,
        refusals,
        handler,
    }
}
