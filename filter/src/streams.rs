//! Every stream of the VM, and whose body is late.
//!
//! A guest decides how many streams it opens, and for how long. So no event walks over all of them: the
//! deadlines that a tick looks for are in order.

use crate::stream::Stream;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Streams by the host's numbers.
#[derive(Default)]
pub struct Streams {
    all: BTreeMap<u32, Stream>,
    /// Root, end of the body's time, stream: of those whose body is read.
    by_deadline: BTreeSet<(u32, Duration, u32)>,
}

// === impl Streams ===

impl Streams {
    pub const fn new() -> Self {
        Self { all: BTreeMap::new(), by_deadline: BTreeSet::new() }
    }

    pub fn insert(&mut self, id: u32, stream: Stream) {
        let replaced = self.all.insert(id, stream);
        self.forget_deadline(id, replaced.as_ref());
    }

    pub fn get(&self, id: u32) -> Option<&Stream> {
        self.all.get(&id)
    }

    /// Every change of a stream goes through here, so that its deadline is known.
    pub fn change<T>(&mut self, id: u32, change: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        let stream = self.all.get_mut(&id)?;
        let before = stream.body_deadline();
        let changed = change(stream);
        let after = stream.body_deadline();
        if before != after {
            let entry = |(root, deadline)| (root, deadline, id);
            if let Some(before) = before {
                self.by_deadline.remove(&entry(before));
            }
            self.by_deadline.extend(after.map(entry));
        }
        Some(changed)
    }

    pub fn remove(&mut self, id: u32) -> Option<Stream> {
        let removed = self.all.remove(&id);
        self.forget_deadline(id, removed.as_ref());
        removed
    }

    /// Does this root read a body whose time is over at `steady`?
    pub fn is_overdue(&self, root: u32, steady: Duration) -> bool {
        self.first_until(root, steady).is_some()
    }

    /// The next one of those, each once.
    pub fn take_overdue(&mut self, root: u32, steady: Duration) -> Option<u32> {
        let first = self.first_until(root, steady)?;
        self.by_deadline.remove(&first);
        Some(first.2)
    }

    fn forget_deadline(&mut self, id: u32, stream: Option<&Stream>) {
        if let Some((root, deadline)) = stream.and_then(Stream::body_deadline) {
            self.by_deadline.remove(&(root, deadline, id));
        }
    }

    fn first_until(&self, root: u32, steady: Duration) -> Option<(u32, Duration, u32)> {
        self.by_deadline.range((root, Duration::ZERO, 0)..=(root, steady, u32::MAX)).next().copied()
    }
}
