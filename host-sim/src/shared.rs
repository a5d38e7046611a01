//! What VMs share: data with compare-and-swap, and queues.

use crate::status::Status;
use std::collections::{HashMap, VecDeque};

/// Shared data of all VMs, by `vm_id` alone (as Envoy keys it).
#[derive(Debug, Default)]
pub(crate) struct SharedData {
    entries: HashMap<(String, Vec<u8>), (Vec<u8>, u32)>,
    last_cas: u32,
}

/// A queue, and who is told when something comes in.
#[derive(Debug)]
pub(crate) struct Queue {
    vm_id: String,
    name: Vec<u8>,
    items: VecDeque<Vec<u8>>,
    /// VM and root context of the last registrant.
    pub registrant: (usize, u32),
}

/// Every shared queue; the token is the index plus one.
#[derive(Debug, Default)]
pub(crate) struct Queues(Vec<Queue>);

// === impl SharedData ===

impl SharedData {
    pub fn get(&self, vm_id: &str, key: &[u8]) -> Option<&(Vec<u8>, u32)> {
        self.entries.get(&(vm_id.to_owned(), key.to_vec()))
    }

    /// `cas` 0 sets in any case; an absent key ignores it.
    pub fn set(&mut self, vm_id: &str, key: Vec<u8>, value: Vec<u8>, cas: u32) -> Status {
        let next = self.last_cas.checked_add(1).unwrap_or(1);
        match self.entries.entry((vm_id.to_owned(), key)) {
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                if cas != 0 && cas != entry.get().1 {
                    return Status::CasMismatch;
                }
                entry.insert((value, next));
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert((value, next));
            }
        }
        self.last_cas = next;
        Status::Ok
    }

    /// Every value, for leak tests.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8], &[u8])> {
        self.entries
            .iter()
            .map(|((vm_id, key), (value, _))| (vm_id.as_str(), key.as_slice(), value.as_slice()))
    }
}

// === impl Queues ===

impl Queues {
    /// The token; a second registrant gets the same one, and the notifications.
    pub fn register(&mut self, vm_id: &str, name: Vec<u8>, registrant: (usize, u32)) -> u32 {
        if let Some(token) = self.resolve(vm_id, &name) {
            if let Some(queue) = self.get_mut(token) {
                queue.registrant = registrant;
            }
            return token;
        }
        self.0.push(Queue { vm_id: vm_id.to_owned(), name, items: VecDeque::new(), registrant });
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub fn resolve(&self, vm_id: &str, name: &[u8]) -> Option<u32> {
        let at = self.0.iter().position(|queue| queue.vm_id == vm_id && queue.name == name)?;
        u32::try_from(at + 1).ok()
    }

    /// Whom to notify.
    pub fn enqueue(&mut self, token: u32, item: Vec<u8>) -> Result<(usize, u32), Status> {
        let queue = self.get_mut(token).ok_or(Status::NotFound)?;
        queue.items.push_back(item);
        Ok(queue.registrant)
    }

    pub fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        let queue = self.get_mut(token).ok_or(Status::NotFound)?;
        queue.items.pop_front().ok_or(Status::Empty)
    }

    fn get_mut(&mut self, token: u32) -> Option<&mut Queue> {
        self.0.get_mut(usize::try_from(token).ok()?.checked_sub(1)?)
    }
}
