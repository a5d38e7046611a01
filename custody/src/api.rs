//! The parts that the operators' and the workers' API have in common: operations as data, bodies, refusals,
//! and the description of it all.

pub mod answer;
pub mod body;
pub mod credential;
pub mod description;
pub mod limits;
pub mod operation;
pub mod refusal;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use custody_base::under_way;
use refusal::Refusal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// An extension of an answer: the work to do if the caller has hung up by then.
#[derive(Clone)]
pub struct Undelivered(pub Arc<dyn Fn() + Send + Sync>);

/// The routes, each answered in time and brought to its end; and a refusal in JSON for any other path.
pub fn bounded<S: Clone + Send + Sync + 'static>(router: Router<S>, limit: Duration) -> Router<S> {
    router
        .fallback(async || Refusal::not_found("there is no such path; see /openapi.json"))
        .method_not_allowed_fallback(async || {
            let status = axum::http::StatusCode::METHOD_NOT_ALLOWED;
            Refusal::new(status, "method_not_allowed", "the path has other methods")
        })
        .layer(middleware::from_fn(move |request: Request, next: Next| async move {
            match tokio::time::timeout(limit, to_its_end(request, next)).await {
                Ok(Some(response)) => response,
                Ok(None) => {
                    Refusal::unavailable("failed", "custody's log says why").into_response()
                }
                Err(_elapsed) => {
                    Refusal::unavailable("too_slow", "it took too long; it may have been done")
                        .into_response()
                }
            }
        }))
}

/// Answers on a task of its own: the caller may hang up, custody still finishes what it began. `None`: it
/// panicked, and has printed why.
async fn to_its_end(request: Request, next: Next) -> Option<Response> {
    let (answer, answered) = oneshot::channel();
    under_way::spawn(async move {
        if let Err(response) = answer.send(next.run(request).await)
            && let Some(Undelivered(then)) = response.extensions().get()
        {
            then();
        }
    });
    answered.await.ok()
}
