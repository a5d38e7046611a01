//! Who asks, and may they? Everything that is decided before anything is reserved.

use super::life::Life;
use super::operation::unchanged;
use super::reason::RefusalReason;
use super::request::{AdmittedRequest, AuthenticatedRequest, Read};
use super::{Leasing, Refused};
use crate::grants::{Covering, Grant, Grants};
use crate::limits::Buckets;
use custody_audit::{Entry, Event, Outcome};
use custody_base::actor::Actor;
use custody_base::names::dated_id;
use custody_ledger::{AccessState, Claimant, LedgerFault, Revocation, Target};
use lease::{LeaseRequest, RefusalCode, UnixSeconds};
use session::Session;
use std::sync::Arc;
use std::time::Instant;

/// How long a session that idled stays revoked, in seconds, if its token could be renewed.
const DAY: u64 = 24 * 60 * 60;

// === impl Leasing ===

impl Leasing {
    /// The pure decisions first, then the ledger's.
    pub(super) async fn admit(
        &self,
        body: &[u8],
        request_id: Option<String>,
    ) -> Result<AdmittedRequest, Refused> {
        let request = LeaseRequest::decode(body).map_err(|_| RefusalCode::BadRequest)?;
        let now = (self.parts.clock)();
        let session = match self.parts.keys.verify(request.session.expose(), now).await {
            Ok(session) => session,
            Err(fault) => {
                return Err(self.session_refused(fault.into(), request_id).await);
            }
        };
        let authenticated = AuthenticatedRequest { request, session, request_id, now };
        self.within(
            self.per_session.as_ref(),
            authenticated.session.id(),
            RefusalReason::SessionRate,
            &authenticated,
        )
        .await?;
        let ends = self.session_ends(&authenticated).await?;
        let (grants, Covering { grant, actor, .. }) = self.granted(&authenticated).await?;
        if let Err(reason) = unchanged(&authenticated.request) {
            return Err(self.deny(&authenticated, reason).await);
        }
        let read = self.stands(&authenticated, &grant, &actor).await?;
        self.within(
            self.per_handle.as_ref(),
            grant.handle.as_str(),
            RefusalReason::HandleRate,
            &authenticated,
        )
        .await?;
        let lease_id = dated_id("lse").map_err(|_| RefusalCode::Unavailable)?;
        let life = Life::new(now, grant.ttl, ends);
        Ok(AdmittedRequest { authenticated, grants, grant, actor, lease_id, life, read })
    }

    /// When the session ends, by its own word and by the absolute limit.
    async fn session_ends(
        &self,
        authenticated: &AuthenticatedRequest,
    ) -> Result<UnixSeconds, Refused> {
        let own = authenticated.session.expires_at();
        match self.parts.session_limits.end(&authenticated.session, authenticated.now) {
            Ok(end) => Ok(end.map_or(own, |end| end.min(own))),
            Err(over) => Err(self.deny(authenticated, over.into()).await),
        }
    }

    async fn granted(
        &self,
        authenticated: &AuthenticatedRequest,
    ) -> Result<(Arc<Grants>, Covering), Refused> {
        let grants = self.parts.grants.current();
        match grants.covering(&authenticated.session, &authenticated.request) {
            Ok(covering) => Ok((grants, covering)),
            Err(gap) => Err(self.deny(authenticated, RefusalReason::Gap(gap)).await),
        }
    }

    /// Nothing is revoked, and the session is awake. What the sealed store has for it comes with the
    /// answer.
    async fn stands(
        &self,
        authenticated: &AuthenticatedRequest,
        grant: &Grant,
        actor: &Actor,
    ) -> Result<Read, Refused> {
        let asked_at = tokio::time::Instant::now();
        let access_state = match self.access_state(&authenticated.session, grant, actor).await {
            Ok(access_state) => access_state,
            Err(fault) => {
                tracing::error!(%fault, "failed to reach the ledger: custody issues no lease until it can");
                return Err(self.deny(authenticated, RefusalReason::Ledger).await);
            }
        };
        if let Some(blocker) = access_state.blocker() {
            return Err(self.deny(authenticated, RefusalReason::Blocked(blocker)).await);
        }
        if self.parts.session_limits.is_idle(access_state.last_seen, authenticated.now) {
            self.end_idle(authenticated).await;
            return Err(self.deny(authenticated, RefusalReason::SessionIdle).await);
        }
        Ok(Read::of(access_state, asked_at))
    }

    pub(super) async fn access_state(
        &self,
        session: &Session,
        grant: &Grant,
        actor: &Actor,
    ) -> Result<AccessState, LedgerFault> {
        let claimant = Claimant { session: session.id(), handle: &grant.handle, actor };
        self.parts.ledger.access_state(claimant).await
    }

    /// Tells the edges, through the feed. That it failed is no reason to say yes: the next request
    /// of the session comes by here again.
    async fn end_idle(&self, authenticated: &AuthenticatedRequest) {
        let revocation = Revocation {
            target: Target::Session(authenticated.session.id().to_owned()),
            at: authenticated.now,
            until: Some(authenticated.session.expires_at().max(authenticated.now) + DAY),
            by: "idle".into(),
        };
        if let Err(fault) = self.parts.ledger.revoke(&revocation).await {
            tracing::warn!(%fault, "failed to publish the end of an idle session");
        }
    }

    /// Takes one from a bucket. Denials are written as a sample: a session that was verified could
    /// else fill the disk.
    async fn within(
        &self,
        buckets: Option<&Buckets>,
        key: &str,
        reason: RefusalReason,
        authenticated: &AuthenticatedRequest,
    ) -> Result<(), Refused> {
        let now = Instant::now();
        let Some(Err(wait)) = buckets.map(|buckets| buckets.take(key, now)) else {
            return Ok(());
        };
        if let Some(suppressed) = self.limited.admit(now) {
            let mut entry = authenticated.denied(reason);
            entry.suppressed = Some(suppressed);
            self.write(entry).await?;
        }
        Err(Refused { code: reason.answer(), retry_after: Some(wait) })
    }

    /// The denial is in the log before it is told.
    pub(super) async fn deny(
        &self,
        authenticated: &AuthenticatedRequest,
        reason: RefusalReason,
    ) -> Refused {
        match self.write(authenticated.denied(reason)).await {
            Ok(()) => reason.answer().into(),
            Err(refused) => refused,
        }
    }

    /// Counted always, written only as a sample: these cost an attacker nothing.
    async fn session_refused(&self, reason: RefusalReason, request_id: Option<String>) -> Refused {
        self.parts.metrics.session_refused(reason.code());
        if let Some(suppressed) = self.refused.admit(Instant::now()) {
            let mut entry = Entry::new(Event::SessionRefused, Outcome::Deny);
            entry.code = Some(reason.answer().code());
            entry.reason = Some(reason.code());
            entry.request_id = request_id;
            entry.suppressed = Some(suppressed);
            // The answer is no in any case; the writer has logged why it could not be written.
            let _ = self.parts.audit.append(entry).await;
        }
        reason.answer().into()
    }
}
