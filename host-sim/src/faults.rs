//! Host calls that fail on order.

use crate::status::Status;
use std::collections::HashMap;

/// "The n-th call of this host function answers this status", for sweeps.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    faults: HashMap<String, Vec<(u64, Status)>>,
}

// === impl FaultPlan ===

impl FaultPlan {
    pub fn new() -> Self {
        Self::default()
    }

    /// The `nth` call (from 1, counted over all VMs) of `function` does nothing and returns
    /// `status`.
    #[must_use]
    pub fn nth(mut self, function: &str, nth: u64, status: Status) -> Self {
        self.faults.entry(function.to_owned()).or_default().push((nth, status));
        self
    }

    pub(crate) fn answer(&self, function: &str, nth: u64) -> Option<Status> {
        let faults = self.faults.get(function)?;
        faults.iter().find(|(at, _)| *at == nth).map(|(_, status)| *status)
    }

    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }
}
