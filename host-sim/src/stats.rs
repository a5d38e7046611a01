//! Metrics: ids a VM, values in the scope that all VMs share.

use crate::status::Status;
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricKind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// Values by name, without Envoy's prefix `wasmcustom.`; a histogram's is its last sample.
#[derive(Debug, Default)]
pub(crate) struct Stats(BTreeMap<(MetricKind, String), u64>);

/// The ids one VM was given: counters 4, 8, ...; gauges 5, 9, ...; histograms 6, 10, ...
#[derive(Debug, Default)]
pub(crate) struct MetricIds {
    names: HashMap<u32, (MetricKind, String)>,
    defined: [u32; 3],
}

// === impl MetricKind ===

impl MetricKind {
    pub(crate) fn from_code(code: u32) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram].into_iter().find(|kind| *kind as u32 == code)
    }
}

// === impl MetricIds ===

impl MetricIds {
    pub fn define(&mut self, kind: MetricKind, name: String) -> u32 {
        let index = kind as usize;
        let mut id = kind as u32;
        if let Some(defined) = self.defined.get_mut(index) {
            *defined += 1;
            id += 4 * *defined;
        }
        self.names.insert(id, (kind, name));
        id
    }

    /// The low two bits of an id are its kind, whether it was defined or not.
    fn find(&self, id: u32) -> Result<(MetricKind, &str), (Option<MetricKind>, Status)> {
        match self.names.get(&id) {
            Some((kind, name)) => Ok((*kind, name)),
            None => Err((MetricKind::from_code(id & 3), Status::NotFound)),
        }
    }
}

// === impl Stats ===

impl Stats {
    pub fn define(&mut self, kind: MetricKind, name: &str) {
        self.0.entry((kind, name.to_owned())).or_default();
    }

    pub fn increment(&mut self, ids: &MetricIds, id: u32, offset: i64) -> Status {
        let (kind, name) = match ids.find(id) {
            Ok(found) => found,
            Err((Some(MetricKind::Counter | MetricKind::Gauge), status)) => return status,
            Err(_) => return Status::BadArgument,
        };
        if kind == MetricKind::Histogram || (kind == MetricKind::Counter && offset <= 0) {
            return Status::BadArgument;
        }
        let value = self.0.entry((kind, name.to_owned())).or_default();
        *value = value.saturating_add_signed(offset);
        Status::Ok
    }

    /// Adds to a counter, sets a gauge, samples a histogram.
    pub fn record(&mut self, ids: &MetricIds, id: u32, sample: u64) -> Status {
        let (kind, name) = match ids.find(id) {
            Ok(found) => found,
            Err((_, status)) => return status,
        };
        let value = self.0.entry((kind, name.to_owned())).or_default();
        *value = if kind == MetricKind::Counter { value.saturating_add(sample) } else { sample };
        Status::Ok
    }

    pub fn get(&self, ids: &MetricIds, id: u32) -> Result<u64, Status> {
        match ids.find(id) {
            Ok((MetricKind::Histogram, _)) => Err(Status::BadArgument),
            Ok((kind, name)) => Ok(self.value(kind, name).unwrap_or_default()),
            Err((Some(MetricKind::Counter | MetricKind::Gauge), status)) => Err(status),
            Err(_) => Err(Status::BadArgument),
        }
    }

    pub fn value(&self, kind: MetricKind, name: &str) -> Option<u64> {
        self.0.get(&(kind, name.to_owned())).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (MetricKind, &str, u64)> {
        self.0.iter().map(|((kind, name), value)| (*kind, name.as_str(), *value))
    }
}
