//! A newer configuration of the same policy judges in place of this one, also for the connections of a
//! listener that drains.
//!
//! This root finishes the requests that it admitted before, and reports the sessions in use. Then it is idle: it
//! has no timer, polls nobody, and has dropped its caches. It resumes if the newer configuration ends first.

use super::{Root, Superseded, TICK, seeded};
use crate::host::{self, Failed};
use edge::{Now, PolicyVersion, TrustEdge};
use std::time::Duration;

/// A request that gets its lease once an attempt may begin its next attempt as long as this, and the sessions
/// in use are reported as long, should custody not answer.
const LONGEST: Duration = Duration::from_secs(30);

// === impl Root ===

impl Root {
    pub fn version(&self) -> Option<&PolicyVersion> {
        self.edge.as_ref().and_then(TrustEdge::version)
    }

    /// The root that judges in place of this one.
    pub fn judge(&self) -> Option<u32> {
        self.superseded.as_ref().map(|superseded| superseded.by)
    }

    pub fn is_resting(&self) -> bool {
        self.superseded.as_ref().is_some_and(|superseded| superseded.is_resting)
    }

    /// Sets or takes away the root that judges in place of this one, whose own number is `own`.
    pub fn set_judge(&mut self, own: u32, judge: Option<u32>) {
        match (self.superseded.take(), judge) {
            (None, None) => {}
            (None, Some(by)) => {
                let now = self.now();
                let since = now.steady;
                if let Some(edge) = &mut self.edge {
                    edge.report_now(now);
                }
                self.superseded = Some(Superseded { by, since, is_resting: false });
            }
            (Some(superseded), Some(by)) => self.superseded = Some(Superseded { by, ..superseded }),
            (Some(Superseded { is_resting, .. }), None) => {
                if is_resting {
                    self.resume(own);
                }
            }
        }
    }

    /// Has nothing to finish any more, but for requests that wait.
    pub fn may_rest(&self, now: Now) -> bool {
        let Some(Superseded { since, is_resting, .. }) = &self.superseded else { return false };
        let is_needed = |edge: &TrustEdge| edge.has_open_attempts() || edge.has_unreported();
        let is_needed = self.edge.as_ref().is_some_and(is_needed);
        let is_over = since.saturating_add(LONGEST) <= now.steady;
        !is_resting && (is_over || !is_needed) && !self.has_work()
    }

    /// Called in its own tick.
    pub fn rest(&mut self) {
        if let Err(Failed(status)) = host::set_tick_period(Duration::ZERO) {
            log::error!("leasehold: failed to stop the timer of an older policy: status {status}");
            return;
        }
        if let Some(superseded) = &mut self.superseded {
            superseded.is_resting = true;
        }
        self.renew();
    }

    fn resume(&mut self, own: u32) {
        self.clock.set();
        self.renew();
        let timer = host::set_effective_context(own).and_then(|()| host::set_tick_period(TICK));
        if let Err(Failed(status)) = timer {
            log::error!(
                "leasehold: failed to set the timer of a policy that judges again: status {status}"
            );
            self.edge = None;
        }
        self.hurried = false;
    }

    /// Without random bytes there is no edge, and everything is denied.
    fn renew(&mut self) {
        let now = self.clock.now();
        self.edge = self.edge.take().and_then(|edge| seeded(|seed| edge.renewed(seed, now)));
    }
}
