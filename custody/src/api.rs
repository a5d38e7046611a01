//! What the operators' and the workers' API have in common: operations as data, bodies, refusals, and
//! the description of it all.

pub mod answer;
pub mod body;
pub mod credential;
pub mod description;
pub mod operation;
pub mod refusal;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::IntoResponse;
use refusal::Refusal;
use std::time::Duration;

/// The routes, each answered in time; and a refusal in JSON for what is none of them.
pub fn bounded<S: Clone + Send + Sync + 'static>(router: Router<S>, limit: Duration) -> Router<S> {
    router
        .fallback(async || Refusal::not_found("there is no such path; see /openapi.json"))
        .method_not_allowed_fallback(async || {
            let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
            Refusal::new(status, "method_not_allowed", "the path has other methods")
        })
        .layer(middleware::from_fn(move |request: Request, next: Next| async move {
            match tokio::time::timeout(limit, next.run(request)).await {
                Ok(response) => response,
                Err(_elapsed) => {
                    Refusal::unavailable("too_slow", "it took too long; it may have been done")
                        .into_response()
                }
            }
        }))
}
