//! A map that drops its oldest entry rather than grow.

use crate::digest::{ByDigest, Digest};
use std::collections::BTreeMap;

/// At most `capacity` entries; inserting one more drops the oldest (and wipes what wipes itself).
pub struct FifoMap<V> {
    entries: ByDigest<(u64, V)>,
    /// By when they came.
    order: BTreeMap<u64, Digest>,
    came: u64,
    capacity: usize,
}

// === impl FifoMap ===

impl<V> FifoMap<V> {
    pub fn new(capacity: usize) -> Self {
        Self { entries: ByDigest::default(), order: BTreeMap::new(), came: 0, capacity }
    }

    pub fn get(&self, key: &Digest) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub fn get_mut(&mut self, key: &Digest) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    pub fn insert(&mut self, key: Digest, value: V) {
        if let Some((_, own)) = self.entries.get_mut(&key) {
            *own = value;
            return;
        }
        self.came += 1;
        self.order.insert(self.came, key);
        self.entries.insert(key, (self.came, value));
        while self.entries.len() > self.capacity {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.entries.remove(&oldest);
        }
    }

    pub fn remove(&mut self, key: &Digest) {
        if let Some((came, _)) = self.entries.remove(key) {
            self.order.remove(&came);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Digest, &V)> {
        self.entries.iter().map(|(key, (_, value))| (key, value))
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(|(_, value)| value)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        let Self { entries, order, .. } = self;
        entries.retain(|_, (came, value)| {
            let kept = keep(value);
            if !kept {
                order.remove(came);
            }
            kept
        });
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Digest {
        [n; 16]
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut map = FifoMap::new(2);
        map.insert(key(1), 1);
        map.insert(key(2), 2);
        map.insert(key(1), 10);
        map.insert(key(3), 3);
        assert_eq!(
            (map.get(&key(1)), map.get(&key(2)), map.get(&key(3))),
            (None, Some(&2), Some(&3))
        );
        map.remove(&key(2));
        map.insert(key(4), 4);
        assert_eq!((map.len(), map.order.len()), (2, 2));
        map.retain(|value| *value == 4);
        assert_eq!((map.len(), map.order.len()), (1, 1));
    }
}
