//! A map that forgets its oldest entry rather than grow.

use std::collections::{HashMap, VecDeque};

/// A cache key: SHA-256 over everything an entry depends on. No token or claim is kept as a key.
pub type Digest = [u8; 32];

/// At most `capacity` entries; inserting one more drops the oldest (and wipes what wipes itself).
pub struct Bounded<V> {
    entries: HashMap<Digest, V>,
    order: VecDeque<Digest>,
    capacity: usize,
}

// === impl Bounded ===

impl<V> Bounded<V> {
    pub fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), capacity }
    }

    pub fn get(&self, key: &Digest) -> Option<&V> {
        self.entries.get(key)
    }

    pub fn get_mut(&mut self, key: &Digest) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    pub fn insert(&mut self, key: Digest, value: V) {
        if self.entries.insert(key, value).is_none() {
            self.order.push_back(key);
        }
        while self.entries.len() > self.capacity {
            let Some(oldest) = self.order.pop_front() else { return };
            self.entries.remove(&oldest);
        }
    }

    pub fn remove(&mut self, key: &Digest) {
        if self.entries.remove(key).is_some() {
            self.order.retain(|own| own != key);
        }
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut()
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.entries.retain(|_, value| keep(value));
        let entries = &self.entries;
        self.order.retain(|key| entries.contains_key(key));
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
        [n; 32]
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut map = Bounded::new(2);
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
