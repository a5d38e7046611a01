//! The log in several files: the one that is written to, and closed ones beside it.
//!
//! ```text
//! audit.jsonl                            is written to
//! audit-000000000001-2026-11-29.jsonl    closed: number and day of its first record
//! ```
//! A segment begins with a mark ([`crate::day`]), which has the number, the hash and the day's
//! records of what came before, so each is verified alone. The chain goes on from one to the next, so a
//! closed segment may be moved away, and what is missing between two that are there shows.

use crate::chain::{Head, Read as Line, read};
use crate::verify::{ChainFault, From, Intact, LONGEST, follow, lacks_only_its_end};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// When a segment is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// With the first record of a new day, UTC.
    pub daily: bool,
    /// At the first mark after so many bytes; marks are at most some 4 MiB apart.
    pub bytes: u64,
}

/// Segments without a break, but for those that are absent.
#[derive(Debug)]
pub struct Verified {
    /// The records of all that are there; the head and the day of the last.
    pub intact: Intact,
    pub segments: Vec<Segment>,
    pub absent: Vec<Span>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Segment {
    pub file: PathBuf,
    #[serde(flatten)]
    pub span: Span,
}

/// Numbers of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    pub first: u64,
    pub last: u64,
}

/// The segments do not make one chain.
#[derive(Debug, thiserror::Error)]
pub enum SegmentFault {
    #[error("{}: {fault}", path.display())]
    Chain { path: PathBuf, fault: ChainFault },
    #[error(
        "{}: line {line}: the record is incomplete ({bytes} bytes): custody died while writing it, or the \
         end was cut off; custody serve sets it aside",
        path.display()
    )]
    Torn { path: PathBuf, line: u64, bytes: usize },
    #[error(
        "{}: begins with record {first}, but another segment has records up to {last}: it is a copy, or of \
         another log",
        path.display()
    )]
    Overlap { path: PathBuf, first: u64, last: u64 },
}

const MIB: u64 = 1 << 20;
/// Of a segment that is being begun.
const NEXT: &str = ".next";
/// Of every record.
const BEGIN: &[u8] = b"{\"seq\":";

// === impl Segments ===

impl Segments {
    pub fn new(daily: bool, mebibytes: u64) -> Self {
        Self { daily, bytes: mebibytes.saturating_mul(MIB) }
    }
}

impl Default for Segments {
    fn default() -> Self {
        Self::new(true, 256)
    }
}

/// The first record of a file; `None` if it has no whole line, or one that is not a record.
pub fn first_record(path: &Path) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?.take(LONGEST)).read_until(b'\n', &mut line)?;
    Ok(line.strip_suffix(b"\n").and_then(|line| read(line).ok()))
}

/// The name of this log as a closed segment.
pub(super) fn closed_name(path: &Path) -> io::Result<PathBuf> {
    let first = first_record(path)?.ok_or_else(|| io::Error::other("the log has no record"))?;
    let day = first.time.get(..10).unwrap_or_default();
    if !day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return Err(io::Error::other("the first record has no day"));
    }
    let name = format!("{}-{:012}-{day}{}", stem(path), first.head.seq, extension(path));
    Ok(path.with_file_name(name))
}

/// Where the next segment is made, before it takes the place of the log.
pub(super) fn next_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    path.with_file_name(format!("{}{NEXT}", name.to_string_lossy()))
}

/// The closed segments beside this log, by their names, the oldest first.
pub fn closed(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (stem, extension) = (format!("{}-", stem(path)), extension(path));
    let is_closed = |name: &str| {
        let inner = name.strip_prefix(&stem).and_then(|name| name.strip_suffix(&extension));
        inner.and_then(|inner| inner.split_once('-')).is_some_and(|(number, day)| {
            number.len() >= 12 && number.bytes().all(|b| b.is_ascii_digit()) && day.len() == 10
        })
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_closed) {
            names.push(entry.path());
        }
    }
    names.sort();
    Ok(names)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn extension(path: &Path) -> String {
    path.extension().map(|ext| format!(".{}", ext.to_string_lossy())).unwrap_or_default()
}

/// The files of a log, which is a folder or one file. In a folder these are the files that begin with a
/// record, without files that were set aside or are empty.
pub fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(NEXT) || name.contains(".torn-") || !file.is_file() {
            continue;
        }
        let mut begin = Vec::new();
        let read = File::open(&file)
            .and_then(|file| file.take(BEGIN.len() as u64).read_to_end(&mut begin));
        read.map_err(|fault| {
            io::Error::other(format!("{}: {fault}; name the segments instead", file.display()))
        })?;
        if begin == BEGIN {
            files.push(file);
        }
    }
    Ok(files)
}

/// Verifies each segment, and that each goes on where the one before ends. Memory: one line.
pub fn verify_all(files: &[PathBuf]) -> Result<Verified, SegmentFault> {
    let mut ordered = Vec::new();
    for path in files {
        let first = first_record(path).map_err(|fault| chain_fault(path, fault.into()))?;
        // What has no whole record yet comes last.
        ordered.push((first.map_or(u64::MAX, |first| first.head.seq), path));
    }
    ordered.sort();
    let mut verified = Verified { intact: nothing(), segments: Vec::new(), absent: Vec::new() };
    for (first, path) in ordered {
        verified.take(first, path)?;
    }
    Ok(verified)
}

fn chain_fault(path: &Path, fault: ChainFault) -> SegmentFault {
    SegmentFault::Chain { path: path.to_owned(), fault }
}

fn nothing() -> Intact {
    let (head, today) = (Head::genesis(), Default::default());
    Intact { head, records: 0, whole_bytes: 0, days: Vec::new(), today, torn: Vec::new() }
}

// === impl Verified ===

impl Verified {
    fn take(&mut self, first: u64, path: &Path) -> Result<(), SegmentFault> {
        let last = self.intact.head.seq;
        if first <= last {
            return Err(SegmentFault::Overlap { path: path.to_owned(), first, last });
        }
        let follows = first == last + 1 || first == u64::MAX;
        let from = if follows && last > 0 {
            From::After(self.intact.head.clone(), self.intact.today.clone())
        } else {
            From::Start
        };
        let file = File::open(path).map_err(|fault| chain_fault(path, fault.into()))?;
        let read = follow(BufReader::new(file), from).map_err(|fault| chain_fault(path, fault))?;
        if !read.torn.is_empty() && !lacks_only_its_end(&read) {
            let (line, bytes) = (read.records + 1, read.torn.len());
            return Err(SegmentFault::Torn { path: path.to_owned(), line, bytes });
        }
        if !follows {
            self.absent.push(Span { first: last + 1, last: first - 1 });
        }
        if read.records > 0 {
            let span = Span { first, last: read.head.seq };
            self.segments.push(Segment { file: path.to_owned(), span });
        }
        let all = &mut self.intact;
        let (records, whole_bytes) =
            (all.records + read.records, all.whole_bytes + read.whole_bytes);
        let mut days = std::mem::take(&mut all.days);
        days.extend(read.days.iter().cloned());
        *all = Intact { records, whole_bytes, days, ..read };
        Ok(())
    }
}
