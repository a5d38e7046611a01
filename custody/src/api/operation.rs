//! Operations as data. Router and description are made of the same table, so they always have the same
//! operations.

use axum::Router;
use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// One operation: its path, its input and output, and its handler.
pub struct Operation<S> {
    /// `operationId`; a word for client generators.
    pub id: &'static str,
    pub verb: Verb,
    /// In axum's spelling, which is OpenAPI's too: `/v1/revocations/{kind}/{id}`.
    pub path: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Of the path and the query.
    pub parameters: &'static [Parameter],
    pub body: Option<SchemaOf>,
    pub answer: Answered,
    /// Each status with which it refuses, and when.
    pub refusals: &'static [(u16, &'static str)],
    pub handler: fn() -> MethodRouter<S>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// A part of the path, or of the query.
pub struct Parameter {
    pub name: &'static str,
    pub place: Place,
    pub meaning: &'static str,
    pub schema: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
}

/// The answer of an operation that succeeds.
pub enum Answered {
    Json(SchemaOf),
    /// A page that is not ours to describe: metrics, this description.
    Other(&'static str),
}

/// The schema of a type; see [`schema_of`].
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// For the fields of an [`Operation`].
pub fn schema_of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

/// The routes of these operations.
pub fn router<S: Clone + Send + Sync + 'static>(operations: &[Operation<S>]) -> Router<S> {
    operations.iter().fold(Router::new(), |router, operation| {
        router.route(operation.path, (operation.handler)())
    })
}

// === impl Verb ===

impl Verb {
    /// As OpenAPI spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Delete => "delete",
        }
    }
}
