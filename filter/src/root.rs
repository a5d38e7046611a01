//! One plugin configuration in one VM.

mod supersession;

use crate::clock::Clock;
use crate::host::{self, Failed};
use crate::metrics::Metrics;
use crate::signatures::HostSignatures;
use crate::waiting::Waiting;
use abi::types::BufferType;
use edge::config::{Config, is_for_attempts};
use edge::exchange::{AwaitBody, AwaitRequest, Denied, Forwarded, Verdict, Wait};
use edge::ids::Ticket;
use edge::policy::denial::Denial;
use edge::request::Request;
use edge::state::callout::{Answer, Callout, Purpose};
use edge::state::denial_log_limiter::DenialLogLimiter;
use edge::state::lease_usage::{LeaseUsage, RequestOutcome};
use edge::{Now, Policy, TrustEdge};
use std::time::Duration;

/// A root context. Several may share a VM (Envoy keys VMs by code and `vm_id`), so everything that is
/// remembered hangs from one of these.
pub struct Root {
    edge: Option<TrustEdge>,
    pub metrics: Metrics,
    denial_log_limiter: DenialLogLimiter,
    clock: Clock,
    waiting: Waiting,
    hurried: bool,
    ticked_at: Duration,
    /// It judges nothing: its streams are attempts of requests that another root has judged.
    for_attempts: bool,
    superseded: Option<Superseded>,
}

/// The root of a newer configuration, which judges in place of this one.
struct Superseded {
    by: u32,
    /// By the steady clock.
    since: Duration,
    is_resting: bool,
}

/// How often a root looks after what no event brings along.
const TICK: Duration = Duration::from_secs(1);
/// The same while held requests have their answer, or are late, and have not had their turn.
const FAST_TICK: Duration = Duration::from_millis(10);

// === impl Root ===

impl Root {
    pub fn new() -> Self {
        Self {
            edge: None,
            metrics: Metrics::default(),
            denial_log_limiter: DenialLogLimiter::default(),
            clock: Clock::start(),
            waiting: Waiting::default(),
            hurried: false,
            ticked_at: Duration::ZERO,
            for_attempts: false,
            superseded: None,
        }
    }

    /// `false` makes Envoy refuse the configuration; with `FAIL_CLOSED` nothing passes without one.
    pub fn configure(&mut self, size: usize) -> bool {
        // Whoever waits was promised a lease by the edge that goes.
        self.edge = None;
        self.waiting.give_up();
        self.clock.set();
        let Some(text) = configuration(size) else { return false };
        self.for_attempts = is_for_attempts(&text);
        if self.for_attempts {
            return true;
        }
        let Some(policy) = policy(&text) else { return false };
        let now = self.clock.now();
        let Some(edge) = seeded(|seed| TrustEdge::new(policy, seed, now)) else { return false };
        // Without it, a callout that is never answered would hold its request for ever.
        if let Err(Failed(status)) = host::set_tick_period(TICK) {
            log::error!("leasehold: failed to set the timer: status {status}");
            return false;
        }
        self.hurried = false;
        self.metrics = Metrics::define();
        self.edge = Some(edge);
        true
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The attribute that names the place a request came to, if sessions are bound by one.
    pub fn place(&self) -> Option<&str> {
        self.edge.as_ref()?.place()
    }

    /// May requests have come through a tunnel?
    pub fn has_tunnels(&self) -> bool {
        self.edge.as_ref().is_some_and(TrustEdge::has_tunnels)
    }

    pub fn admit(&mut self, phase: AwaitRequest, request: Request) -> Verdict {
        match &mut self.edge {
            Some(edge) => phase.admit(edge, request, self.clock.now()),
            None => Verdict::Deny(Denied::new(Denial::NotConfigured, &request)),
        }
    }

    pub fn is_for_attempts(&self) -> bool {
        self.for_attempts
    }

    /// An attempt of a request that was judged here.
    pub fn attempt(&mut self, ticket: Ticket, request: Request) -> Verdict {
        match &mut self.edge {
            Some(edge) => edge.attempt(ticket, request, self.clock.now()),
            None => Verdict::Deny(Denied::new(Denial::NotConfigured, &request)),
        }
    }

    pub fn attempted(&mut self, ticket: Ticket, forwarded: &Forwarded) {
        if let Some(edge) = &mut self.edge {
            edge.attempted(ticket, forwarded);
        }
    }

    /// A request is over that got its leases by this ticket.
    pub fn attempts_ended(&mut self, ticket: Ticket, ending: RequestOutcome<'_>) {
        let now = self.now();
        if let Some(edge) = &mut self.edge {
            edge.attempts_ended(ticket, ending, now);
        }
    }

    /// The body of a held request has ended.
    pub fn body_ended(&mut self, wait: AwaitBody) -> Verdict {
        match &mut self.edge {
            Some(edge) => wait.end(edge, self.clock.now()),
            None => Verdict::Deny(wait.abandon(Denial::NotConfigured)),
        }
    }

    /// Is there something to send, or somebody to settle?
    pub fn has_work(&self) -> bool {
        self.waiting.has_completed() || self.edge.as_ref().is_some_and(TrustEdge::has_callouts)
    }

    pub fn take_callouts(&mut self) -> Vec<Callout> {
        self.edge.as_mut().map(TrustEdge::take_callouts).unwrap_or_default()
    }

    /// Holds a stream until its fetch has completed.
    pub fn hold(&mut self, stream: u32, wait: Wait) {
        self.waiting.join(stream, wait);
    }

    /// Does a stream wait here?
    pub fn has_held(&self) -> bool {
        self.waiting.has_held()
    }

    /// The stream is gone, and waits for nothing any more.
    pub fn leave(&mut self, stream: u32) {
        let completed = self.waiting.leave(stream);
        if let (Some(edge), Some(completed)) = (&mut self.edge, completed) {
            edge.unclaimed(&completed);
        }
    }

    /// The root goes, and nobody who waits here gets anything any more.
    pub fn close(&mut self) {
        self.edge = None;
        self.waiting.give_up();
    }

    /// A callout is over; the streams that waited for it are [next](Self::next_settled).
    pub fn answered(&mut self, purpose: Purpose, answer: Answer<'_>) {
        let now = self.now();
        let Some(edge) = &mut self.edge else { return };
        let completed = edge.answered(purpose, answer, now);
        if let Some(unclaimed) = completed.and_then(|completed| self.waiting.complete(completed)) {
            edge.unclaimed(&unclaimed);
        }
        for log_event in edge.take_log_events() {
            let level = if log_event.is_grave() { log::Level::Error } else { log::Level::Warn };
            log::log!(level, "leasehold: {log_event}");
        }
    }

    /// A held stream whose wait is over, and what becomes of it.
    pub fn next_settled(&mut self) -> Option<(u32, Verdict)> {
        let (stream, wait, completed) = self.waiting.next_completed()?;
        let now = self.clock.now();
        let verdict = match (&mut self.edge, completed) {
            (Some(edge), Some(completed)) => wait.settle(edge, &completed, now),
            _ => Verdict::Deny(wait.abandon(Denial::NotConfigured)),
        };
        Some((stream, verdict))
    }

    /// A request that took a lease along is over.
    pub fn ended(&mut self, usage: &LeaseUsage, ending: RequestOutcome<'_>) {
        let now = self.now();
        if let Some(edge) = &mut self.edge {
            edge.ended(usage, ending, now);
        }
    }

    pub fn tick(&mut self) -> Now {
        self.clock.set();
        let now = self.now();
        self.ticked_at = now.steady;
        for (code, denials) in self.denial_log_limiter.tick(now.steady) {
            log::warn!("leasehold: denied reason={code}, {denials} more in a second");
        }
        if let Some(edge) = &mut self.edge {
            edge.tick(now);
            if let Some(age) = edge.revocations_age(now) {
                self.metrics.record_revocations_age(age);
            }
        }
        now
    }

    /// Counts a denial; does it get a line in the log?
    pub fn denied(&mut self, denial: Denial) -> bool {
        self.metrics.count_denied(denial);
        self.denial_log_limiter.has_a_line(denial)
    }

    /// When it last ticked, by the steady clock.
    pub fn ticked_at(&self) -> Duration {
        self.ticked_at
    }

    /// Sets a short period while streams have an answer and had no turn yet. `is_late`: the same for late streams.
    pub fn set_tick_period(&mut self, is_late: bool) {
        let hurry = is_late || self.waiting.has_completed();
        if hurry == self.hurried {
            return;
        }
        match host::set_tick_period(if hurry { FAST_TICK } else { TICK }) {
            Ok(()) => self.hurried = hurry,
            Err(Failed(status)) => {
                log::error!("leasehold: failed to set the tick period: status {status}")
            }
        }
    }
}

/// An edge, with random bytes of the host's and its help with signatures.
fn seeded(make: impl FnOnce([u8; 32]) -> TrustEdge) -> Option<TrustEdge> {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        log::error!("leasehold: failed to get random bytes from the host");
        return None;
    }
    Some(make(seed).aided_by(Box::new(HostSignatures)))
}

fn configuration(size: usize) -> Option<Vec<u8>> {
    let Ok(text) = host::buffer(BufferType::PluginConfiguration, size) else {
        log::error!("leasehold: failed to read the plugin configuration");
        return None;
    };
    Some(text.unwrap_or_default())
}

fn policy(text: &[u8]) -> Option<Policy> {
    match Config::read(text) {
        Ok(policy) => Some(policy),
        Err(errors) => {
            for error in errors.iter() {
                log::error!("leasehold: {error}");
            }
            None
        }
    }
}
