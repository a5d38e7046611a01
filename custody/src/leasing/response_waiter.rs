//! Whoever waits for the answer.

use super::Refused;
use lease::Lease;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Is anybody still waiting? Asked before each step that cannot be taken back.
pub(super) struct ResponseWaiter<'a> {
    answer: &'a oneshot::Sender<Result<Lease, Refused>>,
    deadline: Instant,
}

// === impl ResponseWaiter ===

impl<'a> ResponseWaiter<'a> {
    pub fn new(answer: &'a oneshot::Sender<Result<Lease, Refused>>, deadline: Instant) -> Self {
        Self { answer, deadline }
    }

    pub fn is_waiting(&self) -> bool {
        !self.answer.is_closed() && Instant::now() < self.deadline
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}
