//! Reading a chain from end to end.

use crate::chain::{Head, LineFault, Read as Line, read};
use crate::day::{Day, DayHead, Mark};
use std::io::{self, BufRead, Read};

/// A chain without a break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intact {
    pub head: Head,
    /// Whole lines that were read.
    pub records: u64,
    /// Bytes up to the end of the last whole line.
    pub whole_bytes: u64,
    /// The days that were closed, oldest first; each fits its records, but for one that began
    /// before the first line that was read.
    pub days: Vec<DayHead>,
    /// The day that is open.
    pub today: Day,
    /// The bytes behind the last line end: a line that was being written when custody died.
    pub torn: Vec<u8>,
}

/// The chain does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ChainFault {
    #[error("line {line}: {fault}")]
    Broken { line: u64, fault: LineFault },
    #[error("line {line}: longer than any record")]
    Endless { line: u64 },
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Where reading begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// At the first line of a segment: the first record of all, or a mark, which has what came before.
    Start,
    /// At the first line of the segment that follows what ended so.
    After(Head, Day),
    /// In the middle: the first line is taken as it is, and the others must follow from it.
    Anywhere,
}

/// No record is longer: a request body is at most 64 KiB, and JSON makes six bytes of one at most.
pub const LONGEST: u64 = 1 << 20;

/// Follows the chain to its end. Memory: one line.
pub fn follow(mut file: impl BufRead, from: From) -> Result<Intact, ChainFault> {
    let mut reading = Reading::new(from);
    loop {
        let mut line = Vec::new();
        let length = file.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        let length = u64::try_from(length).unwrap_or(LONGEST);
        let number = reading.records + 1;
        match line.strip_suffix(b"\n") {
            Some(whole) => {
                let broken = |fault| ChainFault::Broken { line: number, fault };
                reading.take(whole, length).map_err(broken)?;
            }
            None if length == LONGEST => return Err(ChainFault::Endless { line: number }),
            None => return Ok(reading.end(line)),
        }
    }
}

/// Is the torn end of a file a whole record that lacks only its line end?
pub fn lacks_only_its_end(intact: &Intact) -> bool {
    read(&intact.torn).is_ok() && intact.head.follow(&intact.torn).is_ok()
}

/// A chain being read.
struct Reading {
    head: Option<Head>,
    /// The first line must be one that a segment can begin with.
    is_at_start: bool,
    records: u64,
    whole_bytes: u64,
    days: Vec<DayHead>,
    today: Day,
}

// === impl Reading ===

impl Reading {
    fn new(from: From) -> Self {
        let is_at_start = from == From::Start;
        let (head, today) = match from {
            From::After(head, today) => (Some(head), today),
            From::Start | From::Anywhere => (None, Day::default()),
        };
        Self { head, is_at_start, records: 0, whole_bytes: 0, days: Vec::new(), today }
    }

    fn take(&mut self, line: &[u8], length: u64) -> Result<(), LineFault> {
        if self.is_at_start && read(line)?.mark.is_none() {
            self.head = Some(Head::genesis());
        }
        self.is_at_start = false;
        let next = match &self.head {
            Some(head) => head.follow(line)?,
            None => read(line)?,
        };
        let is_first_of_all = self.head.is_none();
        self.apply(&next, is_first_of_all)?;
        self.today.add(&next.time, &next.head.hash);
        self.head = Some(next.head);
        self.records += 1;
        self.whole_bytes += length;
        Ok(())
    }

    /// A day is closed where it ends, nowhere else, and with its own numbers. A checkpoint is within a
    /// day, with the numbers so far.
    fn apply(&mut self, next: &Line, is_first_of_all: bool) -> Result<(), LineFault> {
        let over = self.today.before(&next.time);
        match (&next.mark, over) {
            (Some(Mark::Closed(said)), Some(found)) if *said == found => self.days.push(found),
            (Some(Mark::Checkpoint(said)), None) if *said == self.today.checkpoint() => {}
            // What it speaks of stands before the part that is read.
            (Some(Mark::Closed(said)), None) if is_first_of_all => self.days.push(said.clone()),
            (Some(Mark::Checkpoint(said)), None) if is_first_of_all => {
                self.today = Day::since(said).ok_or(LineFault::Day)?;
            }
            (None, None) => {}
            _ => return Err(LineFault::Day),
        }
        Ok(())
    }

    fn end(self, torn: Vec<u8>) -> Intact {
        let Self { head, records, whole_bytes, days, today, .. } = self;
        let head = head.unwrap_or_else(Head::genesis);
        Intact { head, records, whole_bytes, days, today, torn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Checkpoint;
    use crate::entry::{Entry, Event, Outcome};
    use proptest::prelude::*;

    fn chain(length: usize) -> Vec<u8> {
        let (mut lines, mut head) = (Vec::new(), Head::genesis());
        for _ in 0..length {
            let entry = Entry::new(Event::Lease, Outcome::Allow);
            head = head.seal(&entry, "2026-01-01T00:00:00.000Z", &mut lines).unwrap();
        }
        lines
    }

    fn outcome(bytes: &[u8]) -> Result<Intact, ChainFault> {
        follow(bytes, From::Start)
    }

    fn is_sound(bytes: &[u8]) -> bool {
        outcome(bytes).is_ok_and(|intact| intact.torn.is_empty())
    }

    fn broken_line(bytes: &[u8]) -> Option<u64> {
        match outcome(bytes) {
            Err(ChainFault::Broken { line, .. } | ChainFault::Endless { line }) => Some(line),
            _ => None,
        }
    }

    #[test]
    fn a_whole_chain_and_an_empty_one() {
        let lines = chain(5);
        let intact = outcome(&lines).unwrap();
        assert_eq!((intact.records, intact.head.seq), (5, 5));
        assert_eq!(intact.whole_bytes, lines.len() as u64);
        assert_eq!(outcome(b"").unwrap().head, Head::genesis());
    }

    #[test]
    fn every_flipped_bit_of_every_byte_is_seen() {
        let lines = chain(3);
        for at in 0..lines.len() {
            for bit in 0..8 {
                let mut changed = lines.clone();
                changed[at] ^= 1 << bit;
                assert!(!is_sound(&changed), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn every_other_value_of_a_byte_is_seen() {
        let lines = chain(2);
        for at in 0..lines.len() {
            for value in (0..=u8::MAX).filter(|value| *value != lines[at]) {
                let mut changed = lines.clone();
                changed[at] = value;
                assert!(!is_sound(&changed), "byte {at} value {value}");
            }
        }
    }

    /// Two records of one day, and those of the next, the first of which may close it.
    fn two_days(closing: Option<DayHead>) -> Vec<u8> {
        let mut lines = Vec::new();
        let mut head = Head::genesis();
        let entry = Entry::new(Event::Lease, Outcome::Allow);
        let mut closes = Entry::new(Event::DayClosed, Outcome::Note);
        let is_closed = closing.is_some();
        closes.day = closing;
        for (time, entry) in [
            ("2026-01-01T00:00:00.000Z", &entry),
            ("2026-01-01T00:00:00.000Z", &entry),
            ("2026-01-02T00:00:00.000Z", if is_closed { &closes } else { &entry }),
            ("2026-01-02T00:00:00.000Z", &entry),
        ] {
            head = head.seal(entry, time, &mut lines).unwrap();
        }
        lines
    }

    #[test]
    fn a_day_is_closed_with_its_own_numbers_or_the_chain_is_broken() {
        let first_day =
            two_days(None).split_inclusive(|b| *b == b'\n').take(2).collect::<Vec<_>>().concat();
        let right = outcome(&first_day).unwrap().today.head();
        let closed = outcome(&two_days(Some(right.clone()))).unwrap().days;
        assert_eq!(closed, std::slice::from_ref(&right));
        assert_eq!(broken_line(&two_days(None)), Some(3), "not closed");
        for wrong in [
            DayHead { records: 3, ..right.clone() },
            DayHead { day: "2026-01-02".into(), ..right.clone() },
            DayHead { merkle_root: "0".repeat(64), ..right },
        ] {
            assert_eq!(broken_line(&two_days(Some(wrong))), Some(3));
        }
    }

    #[test]
    fn a_checkpoint_has_the_right_numbers_or_the_chain_is_broken() {
        let time = "2026-01-01T00:00:00.000Z";
        let (two, three) = (outcome(&chain(2)).unwrap(), outcome(&chain(3)).unwrap());
        let right = two.today.checkpoint();
        let with = |checkpoint| {
            let mut entry = Entry::new(Event::DayCheckpoint, Outcome::Note);
            entry.checkpoint = Some(checkpoint);
            let mut lines = chain(2);
            two.head.seal(&entry, time, &mut lines).unwrap();
            lines
        };
        assert!(is_sound(&with(right.clone())));
        for wrong in [
            three.today.checkpoint(),
            Checkpoint { day: "2026-01-02".into(), ..right.clone() },
            Checkpoint { subtrees: vec!["0".repeat(64)], ..right },
        ] {
            assert_eq!(broken_line(&with(wrong)), Some(3));
        }
    }

    #[test]
    fn the_first_broken_line_is_named() {
        let lines = chain(4);
        let each: Vec<&[u8]> = lines.split_inclusive(|b| *b == b'\n').collect();
        let of = |order: &[usize]| order.iter().map(|at| each[*at]).collect::<Vec<_>>().concat();
        assert_eq!(broken_line(&of(&[0, 1, 2, 3])), None);
        assert_eq!(broken_line(&of(&[1, 2, 3])), Some(1), "the first removed");
        assert_eq!(broken_line(&of(&[0, 2, 3])), Some(2), "one removed");
        assert_eq!(broken_line(&of(&[0, 1, 1, 2])), Some(3), "one doubled");
        assert_eq!(broken_line(&of(&[0, 2, 1, 3])), Some(2), "two exchanged");
        let mut changed = of(&[0, 1, 2, 3]);
        let in_the_third = each[0].len() + each[1].len() + 10;
        changed[in_the_third] ^= 1;
        assert_eq!(broken_line(&changed), Some(3));
        let blank = [each[0], b"\n", each[1]].concat();
        assert_eq!(broken_line(&blank), Some(2), "a blank line");
    }

    #[test]
    fn a_torn_tail_is_told_from_a_break() {
        let lines = chain(3);
        let second_ends = lines.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(1).unwrap().0;
        for cut in second_ends + 1..lines.len() {
            let intact = outcome(&lines[..cut]).unwrap();
            assert_eq!((intact.records, intact.torn.len()), (2, cut - second_ends - 1));
        }
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let endless = io::repeat(b'x');
        let outcome = follow(io::BufReader::new(endless), From::Start);
        assert!(matches!(outcome, Err(ChainFault::Endless { line: 1 })));
    }

    #[test]
    fn the_middle_can_be_read_alone() {
        let lines = chain(4);
        let first_ends = lines.iter().position(|b| *b == b'\n').unwrap() + 1;
        let intact = follow(&lines[first_ends..], From::Anywhere).unwrap();
        assert_eq!((intact.records, intact.head.seq), (3, 4));
    }

    proptest! {
        #[test]
        fn inserted_bytes_are_seen(
            at in any::<prop::sample::Index>(),
            inserted in prop::collection::vec(any::<u8>(), 1..20),
        ) {
            let mut lines = chain(3);
            let at = at.index(lines.len() + 1);
            lines.splice(at..at, inserted);
            prop_assert!(!is_sound(&lines));
        }
    }
}
