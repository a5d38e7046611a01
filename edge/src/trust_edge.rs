//! The edge of one plugin configuration in one VM: the policy, and what it remembers.

mod supersession;

use crate::clock::Now;
use crate::digest::Digester;
use crate::ids::{FetchId, Ticket};
use crate::policy::Policy;
use crate::policy::denial::Denial;
use crate::policy::operation::Operation;
use crate::policy::permit::Permit;
use crate::rng::Rng;
use crate::state::attempts::Attempts;
use crate::state::callout::{Answer, Callout, MAX_SYNC, Purpose};
use crate::state::inflight::{CompletedFetch, InFlight, IssuedLease, LeaseFetch};
use crate::state::keys::{IssuerPlace, SessionKeys};
use crate::state::lease_answer::leased;
use crate::state::lease_usage::{GUEST_GONE, LeaseUsage, RequestOutcome, failed};
use crate::state::leases::{Found, LeaseKey, Leases};
use crate::state::log_event::LogEvent;
use crate::state::sessions::Sessions;
use crate::state::sync::{Poll, Report, RevocationState};
use lease::{LeaseRequest, OutcomeReport, Secret, SyncAnswer};
use session::Signatures;
use std::rc::Rc;
use std::time::Duration;

/// A policy with its verified sessions, live leases and callouts under way.
///
/// Everything remembered was decided under this policy: a new configuration is a new edge, and
/// starts with nothing.
pub struct TrustEdge {
    pub(crate) policy: Policy,
    pub(crate) keys: SessionKeys,
    pub(crate) sessions: Sessions,
    pub(crate) leases: Leases,
    pub(crate) inflight: InFlight,
    pub(crate) revocations: RevocationState,
    pub(crate) attempts: Attempts,
    pub(crate) digester: Digester,
    poll: Option<Poll>,
    pub(crate) report: Option<Report>,
    pub(crate) rng: Rng,
    /// When the edge next drops what has ended, by the steady clock.
    tidy_at: Duration,
    outbox: Vec<Callout>,
    log_events: Vec<LogEvent>,
}

/// The result of a look-up for a request that needs a lease.
pub(crate) enum LeaseLookup {
    Now(IssuedLease),
    Awaited(FetchId),
}

// === impl TrustEdge ===

impl TrustEdge {
    /// `seed`: 32 random bytes.
    pub fn new(policy: Policy, seed: [u8; 32], now: Now) -> Self {
        let mut rng = Rng::new(seed);
        let digester = Digester::new([rng.number(), rng.number()]);
        let sync = policy.custody.as_ref().and_then(|custody| custody.sync.as_ref());
        Self {
            revocations: RevocationState::new(sync, now),
            poll: sync.map(|sync| Poll::new(sync, now)),
            report: sync.map(|_| Report::new(now)),
            keys: SessionKeys::new(&policy.issuers, now),
            policy,
            sessions: Sessions::new(digester),
            leases: Leases::new(digester),
            inflight: InFlight::default(),
            attempts: Attempts::default(),
            digester,
            rng,
            tidy_at: now.steady.saturating_add(TIDY),
            outbox: Vec::new(),
            log_events: Vec::new(),
        }
    }

    /// The same edge, with help where signatures are checked.
    pub fn aided_by(mut self, signatures: Box<dyn Signatures>) -> Self {
        self.sessions.aided_by(signatures);
        self
    }

    /// The attribute of each request that names the place it came to, if sessions are bound by one.
    pub fn place(&self) -> Option<&str> {
        self.policy.binding.as_ref()?.attribute()
    }

    /// Do requests come to it through tunnels?
    pub fn has_tunnels(&self) -> bool {
        self.policy.ingress.is_explicit()
    }

    pub fn has_callouts(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// The callouts to send now. Each of them is [`answered`](Self::answered) once, if only with
    /// [`Answer::NotSent`].
    pub fn take_callouts(&mut self) -> Vec<Callout> {
        std::mem::take(&mut self.outbox)
    }

    /// Takes the events for the log.
    pub fn take_log_events(&mut self) -> Vec<LogEvent> {
        std::mem::take(&mut self.log_events)
    }

    /// A callout is over. The result is for every request that waits for its fetch.
    pub fn answered(
        &mut self,
        purpose: Purpose,
        answer: Answer<'_>,
        now: Now,
    ) -> Option<CompletedFetch> {
        match purpose {
            Purpose::Lease(fetch) => self.complete(fetch, answer, now),
            Purpose::Keys(fetch) => {
                self.take_keys(fetch, answer, now);
                Some(CompletedFetch::with_keys(fetch))
            }
            Purpose::Sync => {
                self.take_sync(answer, now);
                None
            }
            Purpose::Seen => {
                self.take_report(answer, now);
                None
            }
            Purpose::Outcome => None,
        }
    }

    /// Time has passed: about once a second. The first time is soon after the configuration, which
    /// cannot make callouts itself.
    pub fn tick(&mut self, now: Now) {
        for issuer in self.keys.due(now) {
            self.fetch_keys(issuer);
        }
        if self.tidy_at <= now.steady {
            self.tidy_at = now.steady.saturating_add(TIDY);
            self.leases.drop_ended(now);
            self.sessions.forget_ended(self.policy.leeway, self.report.is_some(), now);
        }
        self.poll_sync(now);
        self.report_seen(now);
    }

    /// The age of custody's last update; `None` where the edge does not poll it.
    pub fn revocations_age(&self, now: Now) -> Option<Duration> {
        self.poll.as_ref().map(|_| self.revocations.age(now))
    }

    /// A request that took a lease along is over.
    pub fn ended(&mut self, usage: &LeaseUsage, ending: RequestOutcome<'_>, now: Now) {
        match usage {
            LeaseUsage::Kept { key, since } if ending.is_refusal() => {
                if let Some(lease_id) = self.leases.refused(*key, *since, now) {
                    self.report_outcome(&lease_id, &ending.report());
                }
            }
            LeaseUsage::Kept { .. } => {}
            LeaseUsage::Once { lease_id } => self.report_outcome(lease_id, &ending.report()),
        }
    }

    /// A request whose attempts had their leases by this ticket is over.
    pub fn attempts_ended(&mut self, ticket: Ticket, ending: RequestOutcome<'_>, now: Now) {
        if let Some(usage) = self.attempts.close(ticket) {
            self.ended(&usage, ending, now);
        }
    }

    /// A fetch has completed, and the streams that waited for it are gone.
    pub fn unclaimed(&mut self, completed: &CompletedFetch) {
        self.unused(completed, GUEST_GONE);
    }

    /// No request takes along what this fetch brought. A lease that is kept serves the next one.
    pub(crate) fn unused(&mut self, completed: &CompletedFetch, code: &str) {
        if let Ok(IssuedLease { usage: LeaseUsage::Once { lease_id }, .. }) = completed.lease() {
            self.report_outcome(lease_id, &failed(code));
        }
    }

    /// Is what was permitted a while ago permitted still? The session may have ended meanwhile, or have
    /// been revoked, and so may what it waits for.
    pub(crate) fn stands(&self, permit: &Permit, now: Now) -> Result<(), Denial> {
        self.check_time(permit, now)?;
        self.revocations.check_session(permit.session())?;
        match permit.credential() {
            Some(credential) => self.revocations.check_credential(credential.handle.as_str(), now),
            None => Ok(()),
        }
    }

    /// The session has not ended.
    pub(crate) fn check_time(&self, permit: &Permit, now: Now) -> Result<(), Denial> {
        let session = permit.session();
        Ok(self.keys.verifier_of(session, now)?.check_time(session, now.unix())?)
    }

    /// The lease of this key, or the fetch that brings it. One that is due is renewed in the background:
    /// the request does not wait, and does not care what comes of it.
    ///
    /// # Errors
    /// As [`start_fetch`](Self::start_fetch).
    pub(crate) fn find_or_request(
        &mut self,
        key: LeaseKey,
        permit: &Permit,
        token: &[u8],
        now: Now,
    ) -> Result<LeaseLookup, Denial> {
        let Some(Found { lease, since, due }) = self.leases.find(key, now) else {
            return Ok(LeaseLookup::Awaited(self.start_fetch(key, permit, token)?));
        };
        if due {
            let _ = self.start_fetch(key, permit, token);
        }
        Ok(LeaseLookup::Now(IssuedLease { lease, usage: LeaseUsage::Kept { key, since } }))
    }

    /// The fetch that brings the lease of this key: the one under way, or a new one.
    ///
    /// # Errors
    /// [`Denial::NotConfigured`] without custody; [`Denial::Internal`].
    fn start_fetch(
        &mut self,
        key: LeaseKey,
        permit: &Permit,
        token: &[u8],
    ) -> Result<FetchId, Denial> {
        match self.inflight.to(key) {
            Some(fetch) => Ok(fetch),
            None => self.ask(Some(key), permit, permit.lease_request(Secret::new(token))),
        }
    }

    /// A fetch for this operation alone.
    ///
    /// # Errors
    /// As [`start_fetch`](Self::start_fetch).
    pub(crate) fn reserve(
        &mut self,
        permit: &Permit,
        token: Secret,
        operation: Operation,
    ) -> Result<FetchId, Denial> {
        self.ask(None, permit, permit.reservation(token, operation))
    }

    fn ask(
        &mut self,
        key: Option<LeaseKey>,
        permit: &Permit,
        request: Option<LeaseRequest>,
    ) -> Result<FetchId, Denial> {
        let custody = self.policy.custody.as_ref().ok_or(Denial::NotConfigured)?;
        let request = request.ok_or(Denial::Internal)?;
        let body = request.encode().map_err(|_| Denial::Internal)?;
        let (session, handle) = (permit.session().clone(), request.handle);
        let fetch = self.inflight.open(LeaseFetch { key, session, handle });
        let callout =
            Callout::to_custody(custody, Purpose::Lease(fetch), "POST", "/v1/leases".to_owned());
        self.outbox.push(Callout { body, ..callout });
        Ok(fetch)
    }

    /// The fetch that may bring the key which this token names, or any key at all: the one under way, or
    /// a new one if it is time for that. None, too, if as many requests wait for keys as may.
    pub(crate) fn keys_for(&mut self, token: &[u8], now: Now) -> Option<FetchId> {
        let issuer = self.keys.worth_a_fetch(token)?;
        if self.keys.fetched(issuer)?.may_be_asked(now) {
            self.fetch_keys(issuer);
        }
        self.keys.join(issuer)
    }

    fn fetch_keys(&mut self, issuer: IssuerPlace) {
        let Some(keys) = self.keys.fetched(issuer) else { return };
        let callout = keys.begin(self.inflight.number());
        self.outbox.push(callout);
    }

    fn take_keys(&mut self, fetch: FetchId, answer: Answer<'_>, now: Now) {
        let Some(issuer) = self.keys.fetched_by(fetch) else { return };
        let Some(keys) = self.keys.fetched(issuer) else { return };
        let log_event = keys.take(answer, now, &mut self.rng);
        if let Some(LogEvent::KeysChanged { change, .. }) = &log_event
            && !change.is_empty()
        {
            self.sessions.forget(issuer, self.report.is_some());
        }
        self.log_events.extend(log_event);
    }

    /// Polls custody for revocations, if it is time.
    fn poll_sync(&mut self, now: Now) {
        let (Some(poll), Some(custody)) = (&mut self.poll, &self.policy.custody) else { return };
        let cursor = self.revocations.cursor();
        let Some(wait) = poll.due(cursor.is_some(), now) else { return };
        let cursor = cursor.map(|cursor| format!("cursor={cursor}&")).unwrap_or_default();
        let path = format!("/v1/sync?{cursor}wait={}", wait.as_secs());
        let callout = Callout::to_custody(custody, Purpose::Sync, "GET", path);
        self.outbox.push(Callout { timeout: callout.timeout.saturating_add(wait), ..callout });
    }

    fn take_sync(&mut self, answer: Answer<'_>, now: Now) {
        let Some(poll) = &mut self.poll else { return };
        let update = match answer {
            Answer::Response { status: 200, body } if body.len() <= MAX_SYNC => {
                SyncAnswer::decode(body).ok()
            }
            _ => None,
        };
        let Some(update) = update else { return poll.failed(now, &mut self.rng) };
        let at_once = poll.answered(now);
        let changes = update.full || update.kill_switch || !update.changes.is_empty();
        self.revocations.apply(update, now);
        if changes {
            self.leases.drop_revoked(&self.revocations);
        }
        if at_once {
            self.poll_sync(now);
        }
    }

    /// Reports the outcome of a lease to custody.
    fn report_outcome(&mut self, lease_id: &str, report: &OutcomeReport) {
        let (Some(custody), Ok(body)) = (&self.policy.custody, report.encode()) else { return };
        let path = format!("/v1/leases/{lease_id}/outcome");
        let callout = Callout::to_custody(custody, Purpose::Outcome, "POST", path);
        self.outbox.push(Callout { body: body.into(), ..callout });
    }

    /// Reports the sessions in use, if it is time.
    fn report_seen(&mut self, now: Now) {
        let (Some(report), Some(custody)) = (&mut self.report, &self.policy.custody) else {
            return;
        };
        let Some(body) = report.due(&mut self.sessions, now, &mut self.rng) else { return };
        let callout = Callout::to_custody(custody, Purpose::Seen, "POST", "/v1/seen".to_owned());
        self.outbox.push(Callout { body: body.into(), ..callout });
    }

    fn take_report(&mut self, answer: Answer<'_>, now: Now) {
        let Some(report) = &mut self.report else { return };
        self.log_events.extend(report.answered(answer, now, &mut self.rng));
        self.report_seen(now);
    }

    fn complete(&mut self, id: FetchId, answer: Answer<'_>, now: Now) -> Option<CompletedFetch> {
        let fetch = self.inflight.complete(id)?;
        let lease = leased(answer, &fetch, self.policy.leeway, now).and_then(|lease| {
            // Revoked while it was on its way.
            let revoked = self.revocations.is_revoked_lease(&lease.lease().lease_id);
            if revoked { Err(Denial::CustodyRefused) } else { Ok(lease) }
        });
        let Some(key) = fetch.key else {
            let issued = lease.map(|lease| {
                let usage = LeaseUsage::Once { lease_id: lease.lease().lease_id.as_str().into() };
                IssuedLease { lease: Rc::new(lease), usage }
            });
            return Some(CompletedFetch::with_lease(id, issued));
        };
        let issued = lease.map(Rc::new).map(|lease| {
            let scope = (fetch.session, fetch.handle);
            self.leases.keep(key, &lease, scope, now, &mut self.rng);
            IssuedLease { lease, usage: LeaseUsage::Kept { key, since: now.steady } }
        });
        match issued {
            // Custody has changed its mind: what it gave before is not used any more.
            Err(Denial::CustodyRefused | Denial::Session(_)) => self.leases.drop_one(key),
            Err(_) => self.leases.not_renewed(key, now),
            Ok(_) => {}
        }
        Some(CompletedFetch::with_lease(id, issued))
    }
}

/// How often that is. Ticks come each second.
const TIDY: Duration = Duration::from_secs(5);
