//! The description of every listener's API, OpenAPI 3.1.

mod edge;

use crate::admin;
use crate::admin::Admin;
use crate::admin::operator::Operator;
use crate::api::answer::ok;
use crate::api::description::Description;
use crate::api::refusal::Refusal;
use crate::workers;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use std::sync::Arc;

const ABOUT: &str = "Three listeners, three kinds of callers, each with client certificates of a CA \
of its own: operators (tag admin), workers with capability tokens (tag workers), edges (tag edge). \
Times are Unix seconds. Every refusal is a JSON object with a stable `code`.";

/// The whole document.
pub fn document() -> Value {
    let mut description = Description::new("Leasehold custody", ABOUT);
    description.add("admin", &["operator"], &admin::operations::all());
    description.add("workers", &["worker", "capability"], &workers::operations::all());
    let mut document = description.finish();
    edge::add(&mut document);
    document
}

pub async fn serve(State(_): State<Arc<Admin>>, _: Operator) -> Result<Response, Refusal> {
    Ok(ok(&document()))
}
