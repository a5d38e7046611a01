//! `POST /v1/leases` and `POST /v1/leases/{id}/outcome`.

use super::Service;
use super::reply::{coded, empty, read, refusal, request_id_of};
use crate::api::answer;
use crate::leasing::{Refused, TIME_LIMIT};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use lease::{OutcomeRefusal, RefusalCode};
use std::time::Instant;
use zeroize::Zeroizing;

/// The largest body, in bytes: a Session JWT of 8 KiB and a long path leave room.
pub const BODY_LIMIT: usize = 64 * 1024;

pub(super) async fn lease(State(service): State<Service>, request: Request) -> Response {
    let started = Instant::now();
    let outcome = issue(&service, request).await;
    let refused = outcome.as_ref().err().map(|refused| refused.code);
    service.metrics.answered(refused, started.elapsed());
    match outcome {
        Ok(body) => answer::secret(&body),
        Err(refused) => {
            // Counted, and in the audit log; here it would let anybody fill a disk.
            tracing::debug!(code = refused.code.code(), "failed to issue a lease");
            refusal(refused.code, refused.retry_after_seconds())
        }
    }
}

/// The lease as JSON.
async fn issue(service: &Service, request: Request) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let place = service.concurrency_limits.request().ok_or(RefusalCode::Unavailable)?;
    let request_id = request_id_of(request.headers());
    let body = read(request.into_body(), BODY_LIMIT).await?;
    let lease = service.leasing.lease(body, request_id, place).await?;
    lease.encode().map_err(|_| RefusalCode::Unavailable.into())
}

pub(super) async fn outcome(
    State(service): State<Service>,
    Path(lease_id): Path<String>,
    request: Request,
) -> Response {
    match settle(&service, &lease_id, request).await {
        Ok(()) => empty(),
        Err(OutcomeRefusal::Unavailable) => refusal(RefusalCode::Unavailable, None),
        Err(refused) => coded(refused.status(), refused.code()),
    }
}

async fn settle(service: &Service, lease_id: &str, request: Request) -> Result<(), OutcomeRefusal> {
    let _place = service.concurrency_limits.request().ok_or(OutcomeRefusal::Unavailable)?;
    let request_id = request_id_of(request.headers());
    let body = read(request.into_body(), BODY_LIMIT).await.map_err(|code| match code {
        RefusalCode::BadRequest => OutcomeRefusal::BadRequest,
        _ => OutcomeRefusal::Unavailable,
    })?;
    let settled = service.leasing.settle(lease_id, &body, request_id);
    match tokio::time::timeout(TIME_LIMIT, settled).await {
        Ok(settled) => settled,
        Err(_elapsed) => Err(OutcomeRefusal::Unavailable),
    }
}
