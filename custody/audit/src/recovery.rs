//! Opening the log of an earlier run, which may have died in the middle of a line.

use crate::chain::{Head, MARK};
use crate::day::Day;
use crate::entry::{Entry, Event, Outcome, Torn};
use crate::medium::{AuditFile, Medium};
use crate::segments::Segments;
use crate::verify::{ChainFault, From, Intact, follow};
use custody_base::clock;
use custody_base::files;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The log, ready to be written to.
pub struct Opened {
    pub file: AuditFile,
    pub end: End,
    /// To be written first, if a torn line was set aside.
    pub recovered: Option<Entry>,
    pub segments: Segments,
}

/// The head that the next record follows.
#[derive(Clone, Debug)]
pub struct End {
    pub head: Head,
    /// The day that is open.
    pub today: Day,
    /// Of the file, which ends in a whole line.
    pub length: u64,
    /// Where the last mark begins: the line that closes a day or is a checkpoint of one. 0 without one.
    pub marked: u64,
}

/// The log cannot be continued.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{path}: {fault}. Custody does not continue a broken chain; see `custody audit verify \
         {path}`, then keep the file as evidence under another name, and a new one is begun",
        path = path.display()
    )]
    Broken { path: PathBuf, fault: ChainFault },
}

/// How much is searched at a time for the last mark.
const WINDOW: u64 = 1 << 20;

/// Opens the log at `path`, verifies it from its last mark on and sets a torn line aside; `custody audit verify`
/// reads all of it.
///
/// No whole line is ever dropped: a last line that only lacks its line end is given one.
pub fn open(path: &Path) -> Result<Opened, OpenFault> {
    let io = |source| OpenFault::Io { path: path.to_owned(), source };
    let mut file = AuditFile::recover(path).map_err(io)?;
    let (marked, intact) =
        tail(file.file()).map_err(|fault| OpenFault::Broken { path: path.to_owned(), fault })?;
    let Intact { head, today, whole_bytes, torn, .. } = intact;
    let mut end = End { head, today, length: marked + whole_bytes, marked };
    let segments = Segments::default();
    if torn.is_empty() {
        return Ok(Opened { file, end, recovered: None, segments });
    }
    if let Ok(next) = end.head.follow(&torn) {
        file.append(b"\n").and_then(|()| file.sync()).map_err(io)?;
        end.length += torn.len() as u64 + 1;
        end.today.add(&next.time, &next.head.hash);
        end.head = next.head;
        return Ok(Opened { file, end, recovered: None, segments });
    }
    let torn = set_aside(path, &end.head, &torn).map_err(io)?;
    file.cut(end.length).map_err(io)?;
    let mut recovered = Entry::new(Event::Recovered, Outcome::Note);
    recovered.torn = Some(torn);
    Ok(Opened { file, end, recovered: Some(recovered), segments })
}

/// The bytes before the part that was verified, and what it holds: everything from the last mark on.
fn tail(file: &File) -> Result<(u64, Intact), ChainFault> {
    let begin = last_mark(file)?;
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(begin))?;
    let from = if begin == 0 { From::Start } else { From::Anywhere };
    Ok((begin, follow(reader, from)?))
}

/// Where the last whole line begins that is a mark; 0 without one.
fn last_mark(file: &File) -> io::Result<u64> {
    // Windows overlap by more than the longest mark.
    let overlap = WINDOW / 4;
    let mut end = file.metadata()?.len();
    let mut window = Vec::new();
    loop {
        let begin = end.saturating_sub(WINDOW);
        window.resize(usize::try_from(end - begin).unwrap_or(0), 0);
        file.read_exact_at(&mut window, begin)?;
        match (mark_in(&window), begin) {
            (Some(line), _) => return Ok(begin + line),
            (None, 0) => return Ok(0),
            (None, _) => end = begin + overlap,
        }
    }
}

/// Where the last mark begins of which both line ends are here, its own and that of the line before.
fn mark_in(window: &[u8]) -> Option<u64> {
    let line_end = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n');
    let lines = window.get(..line_end(window)?)?;
    let found = lines.windows(MARK.len()).rposition(|bytes| bytes == MARK)?;
    Some(line_end(lines.get(..found)?)? as u64 + 1)
}

/// Copies the torn bytes into a file of their own, durably, before they are cut off.
fn set_aside(path: &Path, head: &Head, torn: &[u8]) -> io::Result<Torn> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".torn-{}-{}", head.seq + 1, clock::now()));
    let aside = path.with_file_name(&name);
    match files::create_private(&aside, torn) {
        // Died between setting aside and cutting, within the same second: it is there already.
        Err(_) if std::fs::read(&aside).is_ok_and(|there| there == torn) => {}
        other => other.map_err(io::Error::other)?,
    }
    files::sync_folder_of(&aside)?;
    let torn_file = name.to_string_lossy().into_owned();
    Ok(Torn { torn_bytes: torn.len() as u64, torn_file })
}

/// Verifies one whole segment, without writing to it.
pub fn verify(path: &Path) -> Result<Intact, ChainFault> {
    follow(BufReader::new(File::open(path)?), From::Start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn lines(count: usize) -> (Vec<u8>, Head) {
        let (mut lines, mut head) = (Vec::new(), Head::genesis());
        for _ in 0..count {
            let entry = Entry::new(Event::Lease, Outcome::Allow);
            head = head.seal(&entry, "2026-01-01T00:00:00.000Z", &mut lines).unwrap();
        }
        (lines, head)
    }

    fn folder_with(contents: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        fs::write(&path, contents).unwrap();
        (folder, path)
    }

    #[test]
    fn every_torn_tail_is_set_aside_and_no_whole_record_is_lost() {
        let (whole, head) = lines(2);
        let (longer, _) = lines(3);
        for cut in whole.len() + 1..longer.len() - 1 {
            let (folder, path) = folder_with(&longer[..cut]);
            let opened = open(&path).unwrap();
            assert_eq!(opened.end.head, head);
            assert_eq!(fs::read(&path).unwrap(), whole);
            assert_eq!(opened.end.length, whole.len() as u64);
            let torn = opened.recovered.unwrap().torn.unwrap();
            let aside = fs::read(folder.path().join(&torn.torn_file)).unwrap();
            assert_eq!(aside, longer[whole.len()..cut]);
        }
    }

    #[test]
    fn a_record_that_lacks_only_its_line_end_is_kept() {
        let (whole, head) = lines(3);
        let (_folder, path) = folder_with(&whole[..whole.len() - 1]);
        let opened = open(&path).unwrap();
        assert!(opened.recovered.is_none());
        assert_eq!((opened.end.head, opened.end.length), (head, whole.len() as u64));
        assert_eq!(fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn a_broken_chain_is_refused_and_left_as_it_is() {
        let (mut broken, _) = lines(3);
        broken[20] ^= 1;
        let (_folder, path) = folder_with(&broken);
        let fault = open(&path).err().unwrap().to_string();
        assert!(fault.contains("line 1") && fault.contains("audit verify"), "{fault}");
        assert_eq!(fs::read(&path).unwrap(), broken);
    }

    /// A chain that grows, as long as a test wants it.
    struct Growing {
        lines: Vec<u8>,
        end: End,
    }

    impl Growing {
        fn new() -> Self {
            let (head, today) = (Head::genesis(), Day::default());
            Self { lines: Vec::new(), end: End { head, today, length: 0, marked: 0 } }
        }

        fn add(&mut self, entry: &Entry, time: &str) {
            let Self { lines, end } = self;
            if matches!(entry.event, Event::DayClosed | Event::DayCheckpoint) {
                end.marked = lines.len() as u64;
            }
            end.head = end.head.seal(entry, time, lines).unwrap();
            end.today.add(time, &end.head.hash);
            end.length = lines.len() as u64;
        }

        /// So many leases of this day of January, after the day before is closed.
        fn leases(&mut self, day: usize, count: usize) {
            let time = time_of(day);
            let mut closing = Entry::new(Event::DayClosed, Outcome::Note);
            closing.day = self.end.today.before(&time);
            if closing.day.is_some() {
                self.add(&closing, &time);
            }
            for _ in 0..count {
                self.add(&Entry::new(Event::Lease, Outcome::Allow), &time);
            }
        }

        fn checkpoint(&mut self, day: usize) {
            let mut entry = Entry::new(Event::DayCheckpoint, Outcome::Note);
            entry.checkpoint = Some(self.end.today.checkpoint());
            self.add(&entry, &time_of(day));
        }
    }

    fn time_of(day: usize) -> String {
        format!("2026-01-{day:02}T00:00:00.000Z")
    }

    fn is_continued(grown: &Growing, torn: &[u8]) {
        let (_folder, path) = folder_with(&[&grown.lines, torn].concat());
        let opened = open(&path).unwrap();
        let (End { head, today, length, marked }, was) = (opened.end, &grown.end);
        assert_eq!((head, today), (was.head.clone(), was.today.clone()));
        assert_eq!((length, marked), (was.length, was.marked));
        assert_eq!(fs::read(&path).unwrap().len(), grown.lines.len());
        assert_eq!(opened.recovered.is_some(), !torn.is_empty());
    }

    #[test]
    fn the_end_of_a_long_file_is_enough() {
        for counts in [&[6000][..], &[6000, 5], &[5, 6000], &[3, 5000, 1, 7], &[1, 1]] {
            let mut grown = Growing::new();
            for (day, count) in counts.iter().enumerate() {
                grown.leases(day + 1, *count);
            }
            is_continued(&grown, b"{\"seq\"");
            let (_folder, path) = folder_with(&grown.lines);
            assert_eq!(verify(&path).unwrap().days.len(), counts.len() - 1);
            for _ in 0..2 {
                grown.checkpoint(counts.len());
                is_continued(&grown, b"");
                grown.leases(counts.len(), 3);
                is_continued(&grown, b"{\"seq\"");
            }
            let (_folder, path) = folder_with(&grown.lines);
            assert_eq!(verify(&path).unwrap().today, grown.end.today, "{counts:?}");
        }
    }

    #[test]
    fn what_stands_before_a_checkpoint_is_not_read_at_the_start() {
        let mut grown = Growing::new();
        grown.leases(1, 3);
        let mark = grown.lines.len();
        grown.checkpoint(1);
        grown.leases(1, 3);
        for (changed, is_seen) in [(mark - 200, false), (mark + 200, true)] {
            let mut lines = grown.lines.clone();
            lines[changed] ^= 1;
            let (_folder, path) = folder_with(&lines);
            assert_eq!(open(&path).is_err(), is_seen);
            assert!(verify(&path).is_err());
        }
    }

    #[test]
    fn a_mark_that_is_torn_is_set_aside_and_what_stood_before_it_is_continued() {
        let mut grown = Growing::new();
        grown.leases(1, 3);
        let mut longer = Growing { lines: grown.lines.clone(), end: grown.end.clone() };
        longer.leases(2, 0);
        for cut in grown.lines.len() + 1..longer.lines.len() - 1 {
            is_continued(&grown, &longer.lines[grown.lines.len()..cut]);
        }
        grown.checkpoint(1);
        let mut longer = Growing { lines: grown.lines.clone(), end: grown.end.clone() };
        longer.checkpoint(1);
        for cut in grown.lines.len() + 1..longer.lines.len() - 1 {
            is_continued(&grown, &longer.lines[grown.lines.len()..cut]);
        }
    }

    #[test]
    fn only_a_mark_is_taken_for_one() {
        let mut entry = Entry::new(Event::Lease, Outcome::Deny);
        entry.request_id = Some("\"event\":\"day_closed\"".into());
        let mut lines = Vec::new();
        let head = Head::genesis().seal(&entry, "2026-01-01T00:00:00.000Z", &mut lines).unwrap();
        let (_folder, path) = folder_with(&lines);
        let opened = open(&path).unwrap();
        assert_eq!((opened.end.head, opened.end.today.head().records), (head, 1));
    }

    #[test]
    fn one_writer_at_a_time() {
        let (_folder, path) = folder_with(b"");
        let first = open(&path).unwrap();
        let fault = open(&path).err().unwrap().to_string();
        assert!(fault.contains("another custody"), "{fault}");
        drop(first);
        assert!(open(&path).is_ok());
    }

    #[test]
    fn only_a_regular_file_is_a_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path()).is_err());
        assert!(open(Path::new("/dev/full")).is_err());
    }
}
