//! `GET /v1/sync` and `POST /v1/seen`.

use super::Service;
use super::reply::{empty, read, refusal};
use crate::api::answer;
use crate::feed::SyncRequest;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use lease::{RefusalCode, SEEN_BODY_LIMIT, SeenReport};

pub(super) async fn sync(State(service): State<Service>, request: Request) -> Response {
    match news(&service, request).await {
        Ok(body) => answer::of(StatusCode::OK, body),
        Err(code) => refusal(code, None),
    }
}

async fn news(service: &Service, request: Request) -> Result<Bytes, RefusalCode> {
    let sync_request = SyncRequest::parse(request.uri().query().unwrap_or(""));
    let sync_request = sync_request.map_err(|_| RefusalCode::BadRequest)?;
    let _place = service.concurrency_limits.poller().ok_or(RefusalCode::Unavailable)?;
    service.feed.answer(&sync_request).await.map_err(|fault| {
        tracing::error!(%fault, "failed to answer an edge's poll for revocations");
        RefusalCode::Unavailable
    })
}

pub(super) async fn seen(State(service): State<Service>, request: Request) -> Response {
    match report(&service, request).await {
        Ok(()) => empty(),
        Err(code) => refusal(code, None),
    }
}

async fn report(service: &Service, request: Request) -> Result<(), RefusalCode> {
    let _place = service.concurrency_limits.request().ok_or(RefusalCode::Unavailable)?;
    let body = read(request.into_body(), SEEN_BODY_LIMIT).await?;
    let report = SeenReport::decode(&body).map_err(|_| RefusalCode::BadRequest)?;
    service.feed.seen(&report).await.map_err(|fault| {
        tracing::error!(%fault, "failed to record sessions in use");
        RefusalCode::Unavailable
    })
}
