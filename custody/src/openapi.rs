//! The description of every listener's API, OpenAPI 3.1.

mod edge;

use crate::api::description::Description;
use crate::{admin, workers};
use serde_json::Value;

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
