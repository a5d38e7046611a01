//! One hash a day: the Merkle root over the day's records.
//!
//! The first record of a day closes the day before: its `day`, how many `records` it had, and their
//! `merkle_root` (leaves: the 32 bytes of each record's own hash, in order). A day's root that is
//! stored elsewhere proves which records the whole day had.
//!
//! A busy day also has checkpoints: what its records came to so far, with all that is needed to go on
//! counting. So custody, when it starts, reads the records since the last mark of either kind and
//! not a whole day of them.

use crate::merkle::{Hash, Tree};
use serde::{Deserialize, Serialize};

/// The totals of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayHead {
    /// `2026-11-22`, UTC.
    pub day: String,
    pub records: u64,
    /// Lower-case hex.
    pub merkle_root: String,
}

/// The totals of the open day, up to the record that holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// `2026-11-22`, UTC.
    pub day: String,
    pub records: u64,
    /// Roots of the full subtrees of the Merkle tree so far, the largest first; lower-case hex.
    pub subtrees: Vec<String>,
}

/// A record that speaks of the records before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    Closed(DayHead),
    Checkpoint(Checkpoint),
}

/// The day that is being counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Empty before the first record.
    date: String,
    tree: Tree,
}

/// `2026-11-22` of `2026-11-22T08:00:00.000Z`.
const DATE: usize = 10;

// === impl Day ===

impl Day {
    /// The mark that the writer must write before a record of this time (RFC 3339, UTC): the head of
    /// the day before, if that had records.
    ///
    /// A clock that was set back does not reopen a day that is closed; its records count for the
    /// day that is open.
    pub fn before(&self, time: &str) -> Option<DayHead> {
        (self.tree.leaves() > 0 && date_of(time) > self.date.as_str()).then(|| self.head())
    }

    /// Counts a record.
    pub fn add(&mut self, time: &str, hash: &str) {
        let date = date_of(time);
        if date > self.date.as_str() {
            *self = Self { date: date.to_owned(), tree: Tree::default() };
        }
        self.tree.add(&bytes_of(hash));
    }

    /// The totals of the day so far.
    pub fn head(&self) -> DayHead {
        let (day, merkle_root) =
            (self.date.clone(), base16ct::lower::encode_string(&self.tree.root()));
        DayHead { day, records: self.tree.leaves(), merkle_root }
    }

    /// The same, to be continued from.
    pub fn checkpoint(&self) -> Checkpoint {
        let subtrees =
            self.tree.subtrees().map(|hash| base16ct::lower::encode_string(hash)).collect();
        Checkpoint { day: self.date.clone(), records: self.tree.leaves(), subtrees }
    }

    /// The day as it was at a checkpoint; `None` if that does not add up.
    pub fn since(checkpoint: &Checkpoint) -> Option<Self> {
        let Checkpoint { day, records, subtrees } = checkpoint;
        let hash = |root: &String| Hash::try_from(bytes_of(root)).ok();
        let subtrees = subtrees.iter().map(hash).collect::<Option<Vec<_>>>()?;
        Some(Self { date: day.clone(), tree: Tree::of(*records, &subtrees)? })
    }
}

fn date_of(time: &str) -> &str {
    time.get(..DATE).unwrap_or(time)
}

/// The octets of a record's hash, which the audit log writes in hexadecimal. Any other text counts as it is.
fn bytes_of(hash: &str) -> Vec<u8> {
    base16ct::mixed::decode_vec(hash).unwrap_or_else(|_| hash.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff";

    #[test]
    fn a_day_is_closed_by_the_next() {
        let mut day = Day::default();
        assert_eq!(day.before("2026-01-01T00:00:00.000Z"), None);
        day.add("2026-01-01T00:00:00.000Z", HASH);
        day.add("2026-01-01T23:59:59.999Z", HASH);
        assert_eq!(day.before("2026-01-01T23:59:59.999Z"), None);
        let head = day.before("2026-01-03T00:00:00.000Z").unwrap();
        assert_eq!((head.day.as_str(), head.records), ("2026-01-01", 2));
        day.add("2026-01-03T00:00:00.000Z", HASH);
        assert_eq!(day.head().records, 1);
        assert_ne!(day.head().merkle_root, head.merkle_root);
    }

    #[test]
    fn a_clock_set_back_reopens_nothing() {
        let mut day = Day::default();
        day.add("2026-01-02T00:00:00.000Z", HASH);
        assert_eq!(day.before("2026-01-01T12:00:00.000Z"), None);
        day.add("2026-01-01T12:00:00.000Z", HASH);
        assert_eq!((day.head().day.as_str(), day.head().records), ("2026-01-02", 2));
    }

    #[test]
    fn counting_goes_on_from_a_checkpoint() {
        let mut day = Day::default();
        for _ in 0..11 {
            day.add("2026-01-02T00:00:00.000Z", HASH);
        }
        let checkpoint = day.checkpoint();
        assert_eq!((checkpoint.records, checkpoint.subtrees.len()), (11, 3));
        assert_eq!(Day::since(&checkpoint), Some(day));
        for wrong in [
            Checkpoint { records: 10, ..checkpoint.clone() },
            Checkpoint { subtrees: vec!["0".repeat(64); 4], ..checkpoint.clone() },
            Checkpoint { subtrees: vec!["x".repeat(64); 3], ..checkpoint },
        ] {
            assert_eq!(Day::since(&wrong), None);
        }
    }

    #[test]
    fn a_hash_counts_as_its_bytes() {
        assert_eq!(bytes_of("00ff"), [0, 255]);
        assert_eq!(bytes_of("zz"), *b"zz");
    }
}
