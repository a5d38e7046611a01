//! Letting a worker in: the token first, then what it asks for, then the audit record.

use super::Workers;
use super::capability::{Capability, Power};
use super::refused::Refused;
use crate::api::refusal::Refusal;
use axum::http::HeaderMap;
use custody_audit::entry::Order;
use custody_audit::{Entry, Event, Outcome};
use custody_base::actor::Actor;
use custody_base::names::{digest_of, fresh_id};
use lease::Handle;
use std::time::Instant;

/// A worker that was let in; its audit record is durable.
pub struct Admitted {
    pub order: Order,
    /// For leases that are recorded under this token's name.
    pub session: String,
    pub worker: String,
}

// === impl Workers ===

impl Workers {
    /// The token alone; the body has not been looked at.
    pub(super) async fn verify(
        &self,
        headers: &HeaderMap,
        power: Power,
    ) -> Result<Capability, Refusal> {
        match self.parts.capabilities.verify(headers, power, (self.parts.clock)()) {
            Ok(capability) => Ok(capability),
            Err(refused) => Err(self.refuse(refused).await),
        }
    }

    /// Holds the token against what is asked for, spends it, and writes that down.
    pub(super) async fn admit(
        &self,
        capability: Capability,
        actor: &Actor,
        service: Option<&Handle>,
    ) -> Result<Admitted, Refusal> {
        if let Err(refused) = capability.covers(actor, service) {
            return Err(self.refuse(refused).await);
        }
        let session = self.spend(&capability).await?;
        let (kind, target) = match service {
            Some(service) => ("credential", format!("{actor}/{service}")),
            None => ("actor", actor.to_string()),
        };
        let order = Order {
            by: capability.worker.clone(),
            action: capability.power.name(),
            target_kind: Some(kind),
            target: Some(target),
        };
        let mut entry = Entry::new(Event::Credential, Outcome::Allow);
        entry.order = Some(order.clone());
        self.parts.audit.append(entry).await?;
        Ok(Admitted { order, session, worker: capability.worker })
    }

    /// A token is good for one call: its name is remembered for as long as it could be used. On
    /// every replica, so in the ledger.
    async fn spend(&self, capability: &Capability) -> Result<String, Refusal> {
        let now = (self.parts.clock)();
        let until = self.parts.capabilities.remembered_until(capability);
        let name = name_of(capability);
        // Nobody else's, so that the second to come is never taken for the first.
        let owner = fresh_id("own")?;
        if self.parts.ledger.lock(&name, &owner, now, until).await? {
            Ok(name)
        } else {
            Err(self.refuse(Refused::Replayed).await)
        }
    }

    /// Counted always, written only as a sample: forged tokens cost an attacker nothing.
    async fn refuse(&self, refused: Refused) -> Refusal {
        self.parts.metrics.capability_refused(refused.code());
        if let Some(suppressed) = self.refused.admit(Instant::now()) {
            let mut entry = Entry::new(Event::CapabilityRefused, Outcome::Deny);
            entry.code = Some(refused.code());
            entry.suppressed = Some(suppressed);
            // The answer is no in any case; the writer has logged why it could not be written.
            let _ = self.parts.audit.append(entry).await;
        }
        refused.into()
    }

    /// Records that an allowed operation failed.
    pub(super) async fn failed(&self, admitted: Admitted, refusal: Refusal) -> Refusal {
        let mut entry = Entry::new(Event::CredentialFailed, Outcome::Deny);
        entry.code = Some(refusal.code);
        entry.order = Some(admitted.order);
        let _ = self.parts.audit.append(entry).await;
        refusal
    }
}

/// A digest: a `jti` may be of any length.
fn name_of(capability: &Capability) -> String {
    let digest = digest_of([capability.issuer.as_str(), capability.jwt_id.as_str()]);
    format!("capability:{}", base16ct::lower::encode_string(&digest))
}
