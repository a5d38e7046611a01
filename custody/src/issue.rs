//! The decision: verify, match, audit, and only then resolve.

use crate::audit::entry::{Asked, Given, SessionId};
use crate::audit::sampling::Sampler;
use crate::audit::{AuditLog, Entry, Event, Outcome};
use crate::backend::resolver::{Answered, Failure, InMemory, Resolver, Unresolved};
use crate::backend::{Asked as AskedOf, Narrow};
use crate::clock;
use crate::grants::{Grant, Grants};
use crate::keys::SessionKeys;
use crate::metrics::Metrics;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lease::{Binding, LEASE_CEILING, Lease, LeaseRequest, RefusalCode, UnixSeconds};
use session::Session;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Gives leases.
pub struct Issuer {
    keys: SessionKeys,
    grants: Grants,
    audit: AuditLog,
    resolver: Resolver,
    metrics: Arc<Metrics>,
    refused: Mutex<Sampler>,
}

/// One request on its way, with what the audit log shall know of it.
struct Case {
    request: LeaseRequest,
    session: SessionId,
    request_id: Option<String>,
}

// === impl Issuer ===

impl Issuer {
    pub fn new(
        keys: SessionKeys,
        grants: Grants,
        audit: AuditLog,
        resolver: Resolver,
        metrics: Arc<Metrics>,
    ) -> Self {
        let refused = Mutex::new(Sampler::new(Instant::now()));
        Self { keys, grants, audit, resolver, metrics, refused }
    }

    /// Answers the body of `POST /v1/leases`.
    ///
    /// The order is the point (invariant 5): the session is verified here, whatever the edge did; a
    /// grant of custody's own must cover the request; the audit record is durable; only then is the
    /// backend asked.
    pub async fn issue(
        &self,
        body: &[u8],
        request_id: Option<String>,
    ) -> Result<Lease, RefusalCode> {
        let request = LeaseRequest::decode(body).map_err(|_| RefusalCode::BadRequest)?;
        let now = clock::now();
        let session = match self.keys.verify(request.session.expose(), now).await {
            Ok(session) => session,
            Err(refusal) => return Err(self.session_refused(refusal.code(), request_id).await),
        };
        // The leeway lets a session verify that has ended; a lease cannot outlive it.
        if now >= session.expires_at() {
            return Err(self.session_refused("session_expired", request_id).await);
        }
        let case = Case { session: SessionId::of(&session), request, request_id };
        let grant = match self.grants.covering(&session, &case.request) {
            Ok(grant) => grant,
            Err(gap) => {
                let mut entry = case.entry(Event::Lease, Outcome::Deny);
                entry.code = Some(RefusalCode::NotGranted.code());
                entry.reason = Some(gap.code());
                self.write(entry).await?;
                return Err(RefusalCode::NotGranted);
            }
        };
        self.give(&case, grant, now, session.expires_at()).await
    }

    async fn give(
        &self,
        case: &Case,
        grant: &Grant,
        now: UnixSeconds,
        session_ends: UnixSeconds,
    ) -> Result<Lease, RefusalCode> {
        let (expires_at, _) = life(now, grant.ttl, session_ends);
        let lease_id = fresh_lease_id().map_err(|_| RefusalCode::Unavailable)?;
        let given =
            Given { lease_id: lease_id.clone(), actor: grant.actor.to_string(), expires_at };
        let mut entry = case.entry(Event::Lease, Outcome::Allow);
        entry.given = Some(given.clone());
        self.write(entry).await?;

        let (failures, code) = match self.resolve(case, grant, expires_at).await {
            Ok(answered) => match answered.resolved.credential.headers() {
                Ok(headers) => {
                    log(grant, &answered.failures);
                    // The credential may end before its grant would have it.
                    let (expires_at, renew_after) = life(now, grant.ttl, answered.expires_at);
                    let binding = Binding::Session;
                    return Ok(Lease { lease_id, expires_at, renew_after, headers, binding });
                }
                Err(fault) => {
                    tracing::error!(handle = %grant.handle, actor = %grant.actor, %fault,
                        "a credential cannot be written as headers");
                    (answered.failures, "credential_unreadable")
                }
            },
            Err(unresolved) => {
                let code = unresolved.code();
                tracing::error!(handle = %grant.handle, actor = %grant.actor, end = %unresolved.end,
                    "a granted credential is not there");
                (unresolved.failures, code)
            }
        };
        log(grant, &failures);
        self.metrics.backend_failed(code);
        let mut entry = case.entry(Event::LeaseFailed, Outcome::Deny);
        entry.code = Some(RefusalCode::Unavailable.code());
        entry.reason = Some(code);
        entry.given = Some(given);
        self.write(entry).await?;
        Err(RefusalCode::Unavailable)
    }

    async fn resolve(
        &self,
        case: &Case,
        grant: &Grant,
        until: UnixSeconds,
    ) -> Result<Answered, Unresolved> {
        let asked = AskedOf {
            actor: &grant.actor,
            handle: &grant.handle,
            kind: None,
            destination: Some(&case.request.destination),
            session: Some(&case.request.session),
            narrow: &Narrow::default(),
            until,
        };
        self.resolver.resolve(&asked, &InMemory::default()).await
    }

    /// Counted always, written only as a sample: these cost an attacker nothing.
    async fn session_refused(&self, code: &'static str, request_id: Option<String>) -> RefusalCode {
        self.metrics.session_refused(code);
        let admitted = {
            let mut sampler = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            sampler.admit(Instant::now())
        };
        if let Some(suppressed) = admitted {
            let mut entry = Entry::new(Event::SessionRefused, Outcome::Deny);
            entry.code = Some(RefusalCode::SessionRefused.code());
            entry.reason = Some(code);
            entry.request_id = request_id;
            entry.suppressed = Some(suppressed);
            // The answer is no in any case; the writer has logged why it could not be written.
            let _ = self.audit.append(entry).await;
        }
        RefusalCode::SessionRefused
    }

    /// No durable record, no answer but this.
    async fn write(&self, entry: Entry) -> Result<(), RefusalCode> {
        self.audit.append(entry).await.map_err(|_| RefusalCode::Unavailable)
    }
}

fn log(grant: &Grant, failures: &[Failure]) {
    for Failure { backend, fault } in failures {
        tracing::error!(handle = %grant.handle, actor = %grant.actor, backend, %fault,
            "a source failed");
    }
}

// === impl Case ===

impl Case {
    fn entry(&self, event: Event, outcome: Outcome) -> Entry {
        let mut entry = Entry::new(event, outcome);
        entry.session = Some(self.session.clone());
        entry.asked = Some(Asked::of(&self.request));
        entry.request_id.clone_from(&self.request_id);
        entry
    }
}

impl SessionId {
    fn of(session: &Session) -> Self {
        Self {
            issuer: session.issuer().to_owned(),
            subject: session.subject().to_owned(),
            jwt_id: session.jwt_id().to_owned(),
        }
    }
}

/// When a lease ends, and when the edge may ask for the next one: after four fifths of its life.
///
/// The end is never behind the ceiling, nor behind the end of the session.
fn life(now: UnixSeconds, ttl: u64, session_ends: UnixSeconds) -> (UnixSeconds, UnixSeconds) {
    let expires_at = now.saturating_add(ttl.min(LEASE_CEILING)).min(session_ends);
    (expires_at, now + expires_at.saturating_sub(now) / 5 * 4)
}

/// 128 random bits: nobody guesses a lease of somebody else.
fn fresh_lease_id() -> Result<String, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(format!("lse_{}", URL_SAFE_NO_PAD.encode(random)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_life_ends_with_its_grant_or_its_session() {
        assert_eq!(life(1000, 300, 5000), (1300, 1240));
        assert_eq!(life(1000, 300, 1100), (1100, 1080));
        assert_eq!(life(1000, 5000, 9000), (1900, 1720));
        assert_eq!(life(1000, 300, 1001), (1001, 1000));
    }

    proptest! {
        #[test]
        fn no_life_is_longer_than_ceiling_or_session(
            now in 0u64..1 << 40, ttl: u64, left in 1u64..4000
        ) {
            let (expires_at, renew_after) = life(now, ttl.max(1), now + left);
            prop_assert!(now < expires_at && expires_at <= now + LEASE_CEILING);
            prop_assert!(expires_at <= now + left);
            prop_assert!(now <= renew_after && renew_after < expires_at);
        }
    }

    #[test]
    fn lease_ids_are_unlike() {
        let ids: std::collections::BTreeSet<_> =
            (0..100).map(|_| fresh_lease_id().unwrap()).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| id.len() == 26));
    }
}
