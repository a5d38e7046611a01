//! Calls to one OpenBao server, with any token or none, and the meaning of its answers.

use super::denials::policy_line;
use super::settings::OpenBao;
use crate::BackendFault;
use custody_base::outbound::{
    Answer, Call, CallFault, Endpoint, Method, Outbound, ReachFault, StatusCode,
};
use lease::Secret;
use serde::Serialize;

/// The API of a server; each call names its token.
pub(super) struct Api {
    outbound: Outbound,
    api: Endpoint,
    namespace: Option<String>,
}

/// The body of a call without one.
pub(super) const NOTHING: Option<&()> = None;

// === impl Api ===

impl Api {
    pub(super) fn new(settings: &OpenBao) -> Result<Self, ReachFault> {
        Ok(Self {
            outbound: settings.reach.client()?,
            api: settings.address.below(["v1"]),
            namespace: settings.namespace.clone(),
        })
    }

    /// One call; its answer may have any status.
    pub(super) async fn send<B: Serialize>(
        &self,
        token: Option<&Secret>,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&B>,
    ) -> Result<Answer, BackendFault> {
        let mut endpoint = self.api.below(path.split('/'));
        if !query.is_empty() {
            endpoint = endpoint.with_query(query);
        }
        let made = || {
            let mut call = Call::new(method, &endpoint);
            if let Some(token) = token {
                call = call.secret_header("x-vault-token", token)?;
            }
            if let Some(namespace) = &self.namespace {
                call = call.header("x-vault-namespace", namespace)?;
            }
            match body {
                Some(body) => call.json(body),
                None => Ok(call),
            }
        };
        let call = made().map_err(|fault| BackendFault::Denied(format!("{path}: {fault}")))?;
        self.outbound.send(call).await.map_err(|fault| down(path, &fault))
    }
}

pub(super) fn down(path: &str, fault: &CallFault) -> BackendFault {
    BackendFault::Down(format!("{path}: {fault}"))
}

/// As [`judged`], of a call that needs a policy: a 403 names the line that is missing.
pub(super) fn allowed(answer: Answer, method: &Method, path: &str) -> Result<Answer, BackendFault> {
    match answer.status {
        StatusCode::FORBIDDEN => Err(BackendFault::Denied(forbidden(method, path))),
        _ => judged(answer, path),
    }
}

pub(super) fn forbidden(method: &Method, path: &str) -> String {
    let line = policy_line(method, path);
    format!("{path}: permission denied (403); fix: a policy of custody's token that has {line}")
}

/// Yes, no, or neither. Custody does not repeat OpenBao's text beside the status: an engine may quote
/// its input.
pub(super) fn judged(answer: Answer, path: &str) -> Result<Answer, BackendFault> {
    let status = answer.status;
    if status.is_success() {
        return Ok(answer);
    }
    let code = status.as_u16();
    Err(match status {
        StatusCode::BAD_REQUEST => {
            BackendFault::Denied(format!("{path}: it does not take the request (400)"))
        }
        StatusCode::FORBIDDEN => BackendFault::Denied(format!("{path}: permission denied (403)")),
        StatusCode::NOT_FOUND => BackendFault::Denied(format!("{path}: nothing is there (404)")),
        StatusCode::TOO_MANY_REQUESTS => {
            BackendFault::Down(format!("{path}: it is over its limits (429)"))
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            BackendFault::Down(format!("{path}: it is sealed or starting (503)"))
        }
        status if status.is_client_error() && !matches!(code, 408 | 472 | 473) => {
            BackendFault::Denied(format!("{path}: refused ({code})"))
        }
        _ => BackendFault::Down(format!("{path}: it failed ({code})")),
    })
}
