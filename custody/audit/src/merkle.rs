//! The Merkle tree of RFC 6962 section 2.1, grown a leaf at a time.
//!
//! A root depends on all leaves and their order. With it, a few dozen hashes prove that one record was
//! among a day's, without the other records.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// A tree that takes leaves at its right end. It remembers one hash a level: those of the full
/// subtrees that the leaves so far make up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// At index n, the root of a full subtree of 2^n leaves, if the count has this bit.
    full: Vec<Option<Hash>>,
    leaves: u64,
}

// === impl Tree ===

impl Tree {
    /// How many leaves it has.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    pub fn add(&mut self, leaf: &[u8]) {
        let mut hash = hash_of(LEAF, &[leaf]);
        self.leaves += 1;
        for level in &mut self.full {
            match level.take() {
                Some(left) => hash = hash_of(NODE, &[&left, &hash]),
                None => {
                    *level = Some(hash);
                    return;
                }
            }
        }
        self.full.push(Some(hash));
    }

    /// The roots of the full subtrees that the leaves make up, the largest (leftmost) first: as many
    /// as the count of leaves has bits that are set.
    pub fn subtrees(&self) -> impl Iterator<Item = &Hash> {
        self.full.iter().rev().flatten()
    }

    /// The tree of so many leaves with these [`Tree::subtrees`]; `None` if it would have another
    /// number of them.
    pub fn of(leaves: u64, subtrees: &[Hash]) -> Option<Self> {
        let mut left = subtrees.iter().copied();
        let levels = u64::BITS - leaves.leading_zeros();
        let mut full: Vec<_> = (0..levels)
            .rev()
            .map(|level| if leaves >> level & 1 == 1 { left.next().map(Some) } else { Some(None) })
            .collect::<Option<_>>()?;
        full.reverse();
        left.next().is_none().then_some(Self { full, leaves })
    }

    /// The Merkle tree hash; of no leaves, that of the empty text.
    pub fn root(&self) -> Hash {
        // The smaller subtrees stand to the right of the larger ones.
        let mut subtrees = self.full.iter().flatten();
        match subtrees.next() {
            None => Sha256::digest(b"").into(),
            Some(right) => subtrees.fold(*right, |right, left| hash_of(NODE, &[left, &right])),
        }
    }
}

/// Leaves and nodes are hashed apart, so that none can be taken for the other.
const LEAF: u8 = 0;
const NODE: u8 = 1;

fn hash_of(kind: u8, parts: &[&[u8]]) -> Hash {
    let begun = Sha256::new().chain_update([kind]);
    parts.iter().fold(begun, |hash, part| hash.chain_update(part)).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RFC 6962 writes it: split at the largest power of two below the count.
    fn by_the_book(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest(b"").into(),
            [leaf] => hash_of(LEAF, &[leaf]),
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(half);
                hash_of(NODE, &[&by_the_book(left), &by_the_book(right)])
            }
        }
    }

    #[test]
    fn every_count_has_the_root_of_the_book() {
        let mut tree = Tree::default();
        let mut leaves = Vec::new();
        for count in 0..130_u64 {
            assert_eq!(tree.leaves(), count);
            assert_eq!(tree.root(), by_the_book(&leaves), "{count} leaves");
            let subtrees: Vec<Hash> = tree.subtrees().copied().collect();
            assert_eq!(Tree::of(count, &subtrees), Some(tree.clone()));
            assert_eq!(Tree::of(count, &[&subtrees[..], &[[0; 32]]].concat()), None);
            assert!(subtrees.is_empty() || Tree::of(count, &subtrees[1..]).is_none());
            leaves.push(count.to_be_bytes().to_vec());
            tree.add(&count.to_be_bytes());
        }
    }

    #[test]
    fn a_second_reader_agrees() {
        // The empty tree, and the tree of one empty leaf, as certificate transparency logs have
        // them.
        let mut tree = Tree::default();
        assert_eq!(
            base16ct::lower::encode_string(&tree.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        tree.add(b"");
        assert_eq!(
            base16ct::lower::encode_string(&tree.root()),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }
}
