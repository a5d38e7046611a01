//! Opening the log of an earlier run, which may have died in the middle of a line.

use crate::audit::chain::{DAY_CLOSED, Head, read};
use crate::audit::day::Day;
use crate::audit::entry::{Entry, Event, Outcome, Torn};
use crate::audit::medium::{AuditFile, Medium};
use crate::audit::verify::{ChainFault, From, Intact, follow};
use crate::clock;
use crate::files;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The log, ready to be written to.
pub struct Opened {
    pub file: AuditFile,
    pub head: Head,
    /// The day that is open.
    pub today: Day,
    /// Length of the file, which ends in a whole line.
    pub length: u64,
    /// To be written first, if a torn line was set aside.
    pub recovered: Option<Entry>,
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

/// How much is searched at a time for the beginning of the last day.
const WINDOW: u64 = 1 << 20;

/// Opens the log at `path`, verifies its last day and sets a torn line aside; `custody audit verify`
/// reads all of it.
///
/// No whole line is ever dropped: a last line that only lacks its line end is given one.
pub fn open(path: &Path) -> Result<Opened, OpenFault> {
    let io = |source| OpenFault::Io { path: path.to_owned(), source };
    let is_new = !path.exists();
    let mut file = AuditFile::open(path).map_err(io)?;
    if is_new {
        files::sync_folder_of(path).map_err(io)?;
    }
    let (before, intact) =
        tail(file.file()).map_err(|fault| OpenFault::Broken { path: path.to_owned(), fault })?;
    let Intact { head, mut today, whole_bytes, torn, .. } = intact;
    let length = before + whole_bytes;
    if torn.is_empty() {
        return Ok(Opened { file, head, today, length, recovered: None });
    }
    if let Ok(next) = head.follow(&torn) {
        file.append(b"\n").and_then(|()| file.sync()).map_err(io)?;
        let length = length + torn.len() as u64 + 1;
        today.add(&next.time, &next.head.hash);
        return Ok(Opened { file, head: next.head, today, length, recovered: None });
    }
    let torn = set_aside(path, &head, &torn).map_err(io)?;
    file.cut(length).map_err(io)?;
    let mut recovered = Entry::new(Event::Recovered, Outcome::Note);
    recovered.torn = Some(torn);
    Ok(Opened { file, head, today, length, recovered: Some(recovered) })
}

/// The bytes before the part that was verified, and what it holds: the last day, which begins with
/// the record that closes the day before.
fn tail(file: &File) -> Result<(u64, Intact), ChainFault> {
    let begin = last_day(file)?;
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(begin))?;
    let from = if begin == 0 { From::Genesis } else { From::Anywhere };
    Ok((begin, follow(reader, from)?))
}

/// Where the last line begins that closes a day; 0 if there is none.
///
/// Inside a JSON text the quotation marks of what is searched would be escaped, so it is found where
/// it is meant and nowhere else.
fn last_day(file: &File) -> io::Result<u64> {
    let closes = format!("\"event\":\"{DAY_CLOSED}\"").into_bytes();
    // Windows overlap by more than the longest line that closes a day.
    let overlap = WINDOW / 4;
    let mut end = file.metadata()?.len();
    let mut window = Vec::new();
    loop {
        let begin = end.saturating_sub(WINDOW);
        window.resize(usize::try_from(end - begin).unwrap_or(0), 0);
        file.read_exact_at(&mut window, begin)?;
        let found = window.windows(closes.len()).rposition(|bytes| bytes == closes);
        let line = found.and_then(|at| {
            let before = window.get(..at)?;
            before.iter().rposition(|byte| *byte == b'\n').map(|line_end| line_end as u64 + 1)
        });
        match (line, begin) {
            (Some(line), _) => return Ok(begin + line),
            (None, 0) => return Ok(0),
            (None, _) => end = begin + overlap,
        }
    }
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

/// Verifies a whole file, without writing to it.
pub fn verify(path: &Path) -> Result<Intact, ChainFault> {
    follow(BufReader::new(File::open(path)?), From::Genesis)
}

/// Is the torn end of a file a whole record that lacks only its line end?
pub fn lacks_only_its_end(intact: &Intact) -> bool {
    read(&intact.torn).is_ok() && intact.head.follow(&intact.torn).is_ok()
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
            assert_eq!(opened.head, head);
            assert_eq!(fs::read(&path).unwrap(), whole);
            assert_eq!(opened.length, whole.len() as u64);
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
        assert_eq!((opened.head, opened.length), (head, whole.len() as u64));
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

    /// Days of so many records each, each but the last closed by the next.
    fn days(counts: &[usize]) -> (Vec<u8>, Head, Day) {
        let (mut lines, mut head, mut today) = (Vec::new(), Head::genesis(), Day::default());
        for (at, count) in counts.iter().enumerate() {
            let time = format!("2026-01-{:02}T00:00:00.000Z", at + 1);
            let mut closing = Entry::new(Event::DayClosed, Outcome::Note);
            closing.day = today.before(&time);
            let entry = Entry::new(Event::Lease, Outcome::Allow);
            let closing = closing.day.is_some().then_some(&closing);
            for entry in closing.into_iter().chain(std::iter::repeat_n(&entry, *count)) {
                head = head.seal(entry, &time, &mut lines).unwrap();
                today.add(&time, &head.hash);
            }
        }
        (lines, head, today)
    }

    #[test]
    fn the_last_day_of_a_long_file_is_enough() {
        for counts in [&[6000][..], &[6000, 5], &[5, 6000], &[3, 5000, 1, 7], &[1, 1]] {
            let (long, head, today) = days(counts);
            let (_folder, path) = folder_with(&[&long[..], b"{\"seq\""].concat());
            let opened = open(&path).unwrap();
            assert_eq!((opened.head, opened.today), (head, today), "{counts:?}");
            assert_eq!(fs::read(&path).unwrap().len(), long.len());
            assert!(opened.recovered.is_some());
            let intact = verify(&path).unwrap();
            assert_eq!(intact.days.len(), counts.len() - 1);
        }
    }

    #[test]
    fn only_the_record_that_closes_a_day_is_taken_for_one() {
        let mut entry = Entry::new(Event::Lease, Outcome::Deny);
        entry.request_id = Some(format!("\"event\":\"{DAY_CLOSED}\""));
        let mut lines = Vec::new();
        let head = Head::genesis().seal(&entry, "2026-01-01T00:00:00.000Z", &mut lines).unwrap();
        let (_folder, path) = folder_with(&lines);
        let opened = open(&path).unwrap();
        assert_eq!((opened.head, opened.today.head().records), (head, 1));
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
