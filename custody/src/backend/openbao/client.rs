//! Calls to one OpenBao server, logged in.

use super::denials::policy_line;
use super::token::{Refusal, Token, Tokens};
use crate::backend::BackendFault;
use crate::config::OpenBao;
use crate::outbound::{
    Answer, Call, CallFault, Endpoint, Method, Outbound, ReachFault, StatusCode,
};
use serde::Serialize;
use std::sync::Arc;

/// A server, and the token custody has there. A task renews the token until the last client is
/// dropped.
pub struct Client {
    name: String,
    door: Arc<Door>,
    tokens: Arc<Tokens>,
}

/// The server itself: calls with whatever token.
pub(super) struct Door {
    outbound: Outbound,
    api: Endpoint,
    namespace: Option<String>,
}

/// The client cannot be made. The text begins with the field.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClientFault(#[from] ReachFault);

/// What is sent with a call that sends nothing.
pub(super) const NOTHING: Option<&()> = None;

// === impl Client ===

impl Client {
    /// Logs in when it is first needed. `name`: that of the configuration.
    ///
    /// # Errors
    /// A TLS file does not serve.
    pub fn new(name: &str, settings: &OpenBao) -> Result<Self, ClientFault> {
        let door = Arc::new(Door {
            outbound: settings.reach.client()?,
            api: settings.address.below(["v1"]),
            namespace: settings.namespace.clone(),
        });
        let tokens = Tokens::start(Arc::clone(&door), settings.auth.clone());
        Ok(Self { name: name.to_owned(), door, tokens })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls `path` (below `/v1/`). The token goes with it. If OpenBao refuses it and the token may
    /// be dead, custody logs in again and calls once more.
    ///
    /// # Errors
    /// [`BackendFault::Denied`] for an answer that says no, [`BackendFault::Down`] if there is no
    /// answer or the server says that it cannot (sealed, standing by, over its limits).
    pub(crate) async fn call<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&B>,
    ) -> Result<Granted, BackendFault> {
        let token = self.tokens.current().await?;
        let answer = self.door.knock(Some(&token), method.clone(), path, query, body).await?;
        if answer.status != StatusCode::FORBIDDEN {
            return self.granted(answer, token, path);
        }
        let denial = |more: &str| BackendFault::Denied(forbidden(&method, path) + more);
        let token = match self.tokens.judge(&token, path).await {
            Ok(Refusal::Replaced(token)) => token,
            Ok(Refusal::Stands(more)) => return Err(denial(&more)),
            Err(BackendFault::Denied(login)) => {
                return Err(denial(&format!("; or the token is dead, and no login: {login}")));
            }
            Err(fault) => return Err(fault),
        };
        let answer = self.door.knock(Some(&token), method.clone(), path, query, body).await?;
        if answer.status == StatusCode::FORBIDDEN {
            self.tokens.note_denial(&token, path);
            return Err(denial(""));
        }
        self.granted(answer, token, path)
    }

    fn granted(
        &self,
        answer: Answer,
        token: Arc<Token>,
        path: &str,
    ) -> Result<Granted, BackendFault> {
        let answer = judged(answer, path)?;
        self.tokens.denials.remove(path);
        Ok(Granted { answer, token })
    }
}

/// An answer that says yes, and the token it was given to: what OpenBao leases ends with it.
pub(crate) struct Granted {
    pub answer: Answer,
    pub(super) token: Arc<Token>,
}

// === impl Door ===

impl Door {
    /// One call, whatever its status.
    pub(super) async fn knock<B: Serialize>(
        &self,
        token: Option<&Token>,
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
                call = call.secret_header("x-vault-token", &token.value)?;
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

fn forbidden(method: &Method, path: &str) -> String {
    let line = policy_line(method, path);
    format!("{path}: permission denied (403); fix: a policy of custody's token that has {line}")
}

/// Yes, no, or neither. What OpenBao says beside the status is not repeated: an engine may quote
/// what it was given.
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
