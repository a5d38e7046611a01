//! Calls to one OpenBao server, logged in.

use super::api::{Api, forbidden, judged};
use super::settings::OpenBao;
use super::token::{Refusal, Token, Tokens};
use crate::BackendFault;
use custody_base::outbound::{Answer, Method, ReachFault, StatusCode};
use serde::Serialize;
use std::sync::Arc;

/// A server, and the token custody has there. A task renews the token until the last client is
/// dropped.
pub struct Client {
    name: String,
    api: Arc<Api>,
    tokens: Arc<Tokens>,
}

/// The client cannot be made. The text begins with the field.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ClientFault(#[from] ReachFault);

// === impl Client ===

impl Client {
    /// Logs in when it is first needed. `name`: that of the configuration.
    ///
    /// # Errors
    /// A TLS file does not serve.
    pub fn new(name: &str, settings: &OpenBao) -> Result<Self, ClientFault> {
        let api = Arc::new(Api::new(settings)?);
        let tokens = Tokens::start(Arc::clone(&api), settings.auth.clone());
        Ok(Self { name: name.to_owned(), api, tokens })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls `path` (below `/v1/`). The token goes with it. If OpenBao refuses it and the token may
    /// be dead, custody logs in again and calls once more.
    ///
    /// # Errors
    /// [`BackendFault::Denied`] for a refusal, [`BackendFault::Down`] if there is no answer or the
    /// server cannot serve (sealed, on standby, over its limits).
    pub(crate) async fn call<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&B>,
    ) -> Result<Granted, BackendFault> {
        let token = self.tokens.current().await?;
        let answer = self.api.send(Some(&token.value), method.clone(), path, query, body).await?;
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
        let answer = self.api.send(Some(&token.value), method.clone(), path, query, body).await?;
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

/// A successful answer, and the token of its call: OpenBao's leases end with that token.
pub(crate) struct Granted {
    pub answer: Answer,
    pub(super) token: Arc<Token>,
}
