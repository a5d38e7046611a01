//! The operator that gives the order.

use super::Admin;
use crate::api::refusal::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use custody_base::tls::peer::Peer;
use std::sync::Arc;

/// The holder of an operator's certificate. Every operation takes one.
#[derive(Clone, Debug)]
pub struct Operator(Peer);

// === impl Operator ===

impl Operator {
    pub fn name(&self) -> &str {
        self.0.name()
    }
}

impl FromRequestParts<Arc<Admin>> for Operator {
    type Rejection = Refusal;

    /// The listener has verified the certificate. One that names nobody is refused: there would be
    /// no name for the audit log.
    async fn from_request_parts(parts: &mut Parts, _: &Arc<Admin>) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<Peer>().cloned();
        peer.map(Self).ok_or_else(|| {
            Refusal::forbidden(
                "operator_unnamed",
                "the certificate has no e-mail, URI or DNS name, and no common name",
            )
        })
    }
}
