use super::*;
use crate::medium::AuditFile;
use crate::recovery;
use crate::segments::{SegmentFault, Span, Verified, closed, files_of, verify_all};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

/// A log in a folder of its own.
struct Log {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn entry() -> Entry {
    Entry::new(Event::Lease, Outcome::Allow)
}

fn day(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs((20_000 + number) * 86_400)
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        Self { folder, path }
    }

    fn open(&self, segments: Segments) -> Writer<AuditFile> {
        let opened = recovery::open(&self.path).unwrap();
        let (shown, _) = watch::channel(opened.end.head.clone());
        Writer {
            medium: opened.file,
            end: opened.end,
            dirty: false,
            owed: 0,
            segments,
            counts: Arc::default(),
            shown,
        }
    }

    /// Two records on each of these days, by one custody after the other.
    fn write(&self, days: std::ops::Range<u64>, segments: Segments) {
        for number in days {
            let mut writer = self.open(segments);
            for _ in 0..2 {
                writer.commit(&[Box::new(entry())], day(number)).unwrap();
            }
        }
    }

    fn verify(&self) -> Result<Verified, SegmentFault> {
        verify_all(&files_of(self.folder.path()).unwrap())
    }

    fn closed(&self) -> Vec<PathBuf> {
        closed(&self.path).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

const DAILY: Segments = Segments { daily: true, bytes: u64::MAX };
const NEVER: Segments = Segments { daily: false, bytes: u64::MAX };

#[test]
fn a_new_day_begins_a_segment_and_the_chain_is_that_of_one_file() {
    let (log, whole) = (Log::new(), Log::new());
    log.write(0..3, DAILY);
    whole.write(0..3, NEVER);
    let closed = log.closed();
    let names: Vec<_> = closed.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(
        names,
        ["audit-000000000001-2024-10-04.jsonl", "audit-000000000003-2024-10-05.jsonl"]
    );
    let read = |path: &PathBuf| fs::read(path).unwrap();
    let joined = closed.iter().chain([&log.path]).flat_map(read).collect::<Vec<_>>();
    assert_eq!(joined, read(&whole.path));
    let (verified, of_one) = (log.verify().unwrap(), recovery::verify(&whole.path).unwrap());
    assert_eq!(verified.intact, of_one);
    assert_eq!((verified.absent, of_one.records, of_one.days.len()), (vec![], 8, 2));
    let spans: Vec<_> =
        verified.segments.iter().map(|one| (one.span.first, one.span.last)).collect();
    assert_eq!(spans, [(1, 2), (3, 5), (6, 8)]);
    for path in closed.iter().chain([&log.path]) {
        recovery::verify(path).expect("verified alone");
    }
}

#[test]
fn a_log_of_one_file_becomes_the_first_segment() {
    let log = Log::new();
    log.write(0..3, NEVER);
    let before = fs::read(&log.path).unwrap();
    log.write(3..4, DAILY);
    assert_eq!(fs::read(&log.closed()[0]).unwrap(), before);
    assert_eq!(log.verify().unwrap().intact.days.len(), 3);
}

#[test]
fn a_long_day_has_several_segments() {
    let log = Log::new();
    let mut wide = entry();
    wide.request_id = Some("x".repeat(CHECKPOINT_EVERY as usize / 8));
    for _ in 0..3 {
        let mut writer = log.open(Segments { daily: true, bytes: 2 * CHECKPOINT_EVERY });
        for _ in 0..15 {
            writer.commit(&[Box::new(wide.clone())], day(1)).unwrap();
        }
    }
    assert_eq!(log.closed().len(), 2);
    let verified = log.verify().unwrap();
    assert_eq!((verified.intact.head.seq, verified.absent.len()), (verified.intact.records, 0));
    assert!(verified.intact.records > 45, "with marks");
    assert_eq!(verified.intact.today.head().records, verified.intact.records);
}

#[test]
fn segments_that_were_moved_away_are_named_and_the_rest_is_verified_and_continued() {
    let log = Log::new();
    log.write(0..4, DAILY);
    let closed = log.closed();
    fs::remove_file(&closed[1]).unwrap();
    assert_eq!(log.verify().unwrap().absent, [Span { first: 3, last: 5 }]);
    fs::remove_file(&closed[0]).unwrap();
    assert_eq!(log.verify().unwrap().absent, [Span { first: 1, last: 5 }]);
    log.write(4..6, DAILY);
    let verified = log.verify().unwrap();
    assert_eq!((verified.absent, verified.segments.len()), (vec![Span { first: 1, last: 5 }], 4));
}

#[test]
fn a_segment_that_was_changed_copied_or_exchanged_is_named() {
    let log = Log::new();
    log.write(0..3, DAILY);
    let second = log.closed().pop().unwrap();
    let second = &second;
    let good = fs::read(second).unwrap();
    let named = |fault: SegmentFault| {
        let name = second.file_name().unwrap().to_str().unwrap();
        assert!(fault.to_string().contains(name), "{fault}");
        fault.to_string()
    };

    let mut changed = good.clone();
    changed[20] ^= 1;
    fs::write(second, changed).unwrap();
    assert!(named(log.verify().unwrap_err()).contains("line 1: its hash"));

    // The whole end of the segment is gone: the next one shows it.
    fs::write(second, &good[..=good.iter().position(|byte| *byte == b'\n').unwrap()]).unwrap();
    assert_eq!(log.verify().unwrap().absent, [Span { first: 4, last: 5 }]);

    fs::write(second, &good[..good.len() - 5]).unwrap();
    assert!(named(log.verify().unwrap_err()).contains("the record is incomplete"));

    fs::write(second, &good).unwrap();
    fs::copy(second, log.file("copy.jsonl")).unwrap();
    assert!(matches!(log.verify(), Err(SegmentFault::Overlap { first: 3, last: 5, .. })));
    fs::remove_file(log.file("copy.jsonl")).unwrap();

    // A segment of another log, whole in itself, with the right numbers.
    fs::write(&log.closed()[0], foreign()).unwrap();
    assert!(named(log.verify().unwrap_err()).contains("it does not follow"));
}

/// The first segment of another log.
fn foreign() -> Vec<u8> {
    let log = Log::new();
    for event in [Event::Started, Event::Stopped] {
        let entry = Entry::new(event, Outcome::Note);
        log.open(DAILY).commit(&[Box::new(entry)], day(0)).unwrap();
    }
    fs::read(&log.path).unwrap()
}

/// The files before and after a rotation: the segment that it closes, and the header of the next.
fn rotated() -> (Vec<u8>, Vec<u8>) {
    let log = Log::new();
    log.write(0..1, DAILY);
    let closed = fs::read(&log.path).unwrap();
    log.write(1..2, DAILY);
    let begun = fs::read(&log.path).unwrap();
    let header = begun.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    (closed, begun[..header].to_vec())
}

#[test]
fn custody_died_in_a_rotation_and_its_start_loses_no_record() {
    let (old, header) = rotated();
    let next = "audit.jsonl.next";
    let closed_name = "audit-000000000001-2024-10-04.jsonl";
    let cut = &header[..header.len() / 2];
    let states: [(_, Vec<(_, &[u8])>, _); 5] = [
        ("begun", vec![("audit.jsonl", &old), (next, b"")], 2),
        ("half written", vec![("audit.jsonl", &old), (next, cut)], 2),
        ("written", vec![("audit.jsonl", &old), (next, &header)], 2),
        ("closed", vec![(closed_name, &old), (next, &header)], 3),
        ("done", vec![(closed_name, &old), ("audit.jsonl", &header)], 3),
    ];
    for (state, files, records) in states {
        let log = Log::new();
        for (name, bytes) in files {
            fs::write(log.file(name), bytes).unwrap();
        }
        let writer = log.open(DAILY);
        assert_eq!(writer.end.head.seq, records, "{state}");
        assert!(!log.file(next).exists(), "{state}");
        assert!(recovery::open(&log.path).is_err(), "{state}: held by one custody");
        drop(writer);
        log.write(1..3, DAILY);
        let verified = log.verify().unwrap_or_else(|fault| panic!("{state}: {fault}"));
        assert_eq!((verified.intact.records, verified.absent), (8, vec![]), "{state}");
        assert_eq!(log.closed().len(), 2, "{state}");
    }
}

#[test]
fn a_segment_that_cannot_be_begun_is_begun_with_the_next_mark() {
    let log = Log::new();
    log.write(0..1, DAILY);
    let obstacle = log.file("audit-000000000001-2024-10-04.jsonl");
    fs::write(&obstacle, "in the way").unwrap();
    log.write(1..2, DAILY);
    assert_eq!(fs::read_to_string(&obstacle).unwrap(), "in the way");
    assert_eq!(recovery::verify(&log.path).unwrap().records, 5);
    fs::remove_file(&obstacle).unwrap();
    log.write(2..3, DAILY);
    assert_eq!(log.closed(), [obstacle]);
    assert_eq!(log.verify().unwrap().intact.records, 8);
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_begun_anew_when_asked() {
    let log = Log::new();
    let (audit, writing) = AuditLog::start(recovery::open(&log.path).unwrap()).await.unwrap();
    audit.append(entry()).await.unwrap();
    audit.reopen().await.expect("nothing to do");
    let moved = log.file("moved.jsonl");
    fs::rename(&log.path, &moved).unwrap();
    assert!(audit.append(entry()).await.is_err());
    // Somebody else's records are not continued, an empty file is (logrotate's `create`).
    fs::write(&log.path, fs::read(&moved).unwrap()).unwrap();
    assert!(audit.reopen().await.unwrap_err().to_string().contains("move it away"));
    assert!(audit.append(entry()).await.is_err());
    fs::write(&log.path, b"").unwrap();
    audit.reopen().await.unwrap();
    assert!(fs::read_to_string(&log.path).unwrap().contains("\"event\":\"day_"), "at once");
    audit.append(entry()).await.unwrap();
    audit.close().await.unwrap();
    writing.join();
    let verified = log.verify().unwrap();
    assert_eq!((verified.intact.records, verified.absent, verified.segments.len()), (3, vec![], 2));
    assert!(recovery::open(&log.path).is_ok());
}
