//! The held streams: whose fetch is under way, and whose has completed.
//!
//! A guest decides how many streams it opens and resets, so every operation costs the logarithm of the number
//! of held streams, in any order of them. No fetch keeps the streams of another one waiting: those that have
//! completed take turns, a stream each.

use edge::exchange::Wait;
use edge::ids::FetchId;
use edge::state::inflight::CompletedFetch;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// Each held stream is in the group of its fetch, or given up.
#[derive(Default)]
pub struct Waiting {
    streams: BTreeMap<u32, Wait>,
    /// None is empty.
    groups: BTreeMap<FetchId, Group>,
    /// Whose turn it is next. It may hold groups whose streams have all left.
    completed: VecDeque<FetchId>,
    /// Nothing will come for these.
    given_up: BTreeSet<u32>,
}

/// The streams that wait for one fetch, and what came once it has completed.
#[derive(Default)]
struct Group {
    streams: BTreeSet<u32>,
    completed: Option<Rc<CompletedFetch>>,
}

/// A stream, its wait, and what that was for; `None` where nothing will come.
type Settling = (u32, Wait, Option<Rc<CompletedFetch>>);

// === impl Waiting ===

impl Waiting {
    pub fn join(&mut self, stream: u32, wait: Wait) {
        self.leave(stream);
        self.groups.entry(wait.fetch()).or_default().streams.insert(stream);
        self.streams.insert(stream, wait);
    }

    /// Returns the result that the stream waited for and did not get.
    pub fn leave(&mut self, stream: u32) -> Option<Rc<CompletedFetch>> {
        let wait = self.streams.remove(&stream)?;
        if self.given_up.remove(&stream) {
            return None;
        }
        self.leave_group(wait.fetch(), stream)
    }

    /// Gives it back where nobody waits for it.
    pub fn complete(&mut self, completed: CompletedFetch) -> Option<CompletedFetch> {
        let fetch = completed.fetch();
        let Some(group) = self.groups.get_mut(&fetch) else { return Some(completed) };
        group.completed = Some(Rc::new(completed));
        self.completed.push_back(fetch);
        None
    }

    /// Nothing that is under way, or has completed, will serve anybody.
    pub fn give_up(&mut self) {
        self.groups.clear();
        self.completed.clear();
        self.given_up = self.streams.keys().copied().collect();
    }

    /// One whose wait is over.
    pub fn next_completed(&mut self) -> Option<Settling> {
        if let Some(stream) = self.given_up.pop_first() {
            return Some((stream, self.streams.remove(&stream)?, None));
        }
        while let Some(fetch) = self.completed.pop_front() {
            let first = self.groups.get(&fetch).and_then(|group| group.streams.first().copied());
            let Some(stream) = first else { continue };
            let completed = self.leave_group(fetch, stream);
            if self.groups.contains_key(&fetch) {
                self.completed.push_back(fetch);
            }
            return Some((stream, self.streams.remove(&stream)?, completed));
        }
        None
    }

    pub fn has_held(&self) -> bool {
        !self.streams.is_empty()
    }

    pub fn has_completed(&self) -> bool {
        !self.completed.is_empty() || !self.given_up.is_empty()
    }

    /// The result of its fetch, if that has completed.
    fn leave_group(&mut self, fetch: FetchId, stream: u32) -> Option<Rc<CompletedFetch>> {
        let group = self.groups.get_mut(&fetch)?;
        group.streams.remove(&stream);
        let completed = group.completed.clone();
        if group.streams.is_empty() {
            self.groups.remove(&fetch);
        }
        completed
    }
}
