use super::*;
use crate::entry::{Event, Outcome};
use crate::recovery;
use crate::verify::{From, follow};
use std::sync::Mutex;

/// A disk in memory that fails on demand, and has a copy of all synced bytes.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    synced: usize,
    /// Appends write only this many bytes and fail.
    short: Option<usize>,
    fail_sync: bool,
    fail_cut: bool,
}

impl Disk {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn records(&self) -> u64 {
        let state = self.0.lock().unwrap();
        assert_eq!(state.synced, state.bytes.len(), "nothing waits to be synced");
        let intact = follow(&state.bytes[..], From::Start).unwrap();
        assert_eq!(intact.torn, b"");
        intact.records
    }
}

impl Medium for Disk {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if let Some(short) = state.short {
            state.bytes.extend_from_slice(&bytes[..short]);
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        state.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.fail_sync {
            return Err(io::Error::other("EIO"));
        }
        state.synced = state.bytes.len();
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.fail_cut {
            return Err(io::Error::other("EIO"));
        }
        state.bytes.truncate(length as usize);
        state.synced = state.bytes.len();
        Ok(())
    }

    fn rotate(&mut self, _header: &[u8]) -> io::Result<()> {
        Err(io::Error::other("a disk without folders"))
    }

    fn reopen(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

fn entry() -> Entry {
    Entry::new(Event::Lease, Outcome::Allow)
}

fn log_on(disk: &Disk) -> (AuditLog, Writing) {
    AuditLog::over(disk.clone(), Head::genesis(), 0).unwrap()
}

#[tokio::test]
async fn a_record_is_synced_before_the_answer() {
    let disk = Disk::default();
    let (log, _writing) = log_on(&disk);
    for expected in 1..=3 {
        log.append(entry()).await.unwrap();
        assert_eq!(disk.records(), expected);
    }
}

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "only the writing thread wants it, and shall wait")]
async fn many_requests_share_a_sync() {
    let disk = Disk::default();
    let (log, _writing) = log_on(&disk);
    // The disk is held while the requests queue up behind the first, so that they meet in a batch.
    let held = disk.0.lock().unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let (log, asked) = (log.clone(), Arc::clone(&asked));
            tokio::spawn(async move {
                // The queue has room, so it is asked before anything else runs on this thread.
                asked.fetch_add(1, Ordering::Relaxed);
                log.append(entry()).await
            })
        })
        .collect();
    while asked.load(Ordering::Relaxed) < 200 {
        tokio::task::yield_now().await;
    }
    drop(held);
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    assert_eq!(disk.records(), 200);
    let syncs = log.counts().syncs.load(Ordering::Relaxed);
    assert!(syncs <= 2, "{syncs} syncs");
    assert_eq!(log.counts().records.load(Ordering::Relaxed), 200);
}

#[tokio::test]
async fn a_failed_write_is_refused_and_leaves_nothing_behind() {
    for short in [0, 1, 100] {
        let disk = Disk::default();
        let (log, _writing) = log_on(&disk);
        log.append(entry()).await.unwrap();
        disk.change(|state| state.short = Some(short));
        assert!(matches!(log.append(entry()).await, Err(AuditFault::Disk(_))));
        disk.change(|state| state.short = None);
        log.append(entry()).await.unwrap();
        assert_eq!(disk.records(), 2);
    }
}

#[tokio::test]
async fn a_failed_sync_is_refused_and_its_bytes_are_not_trusted() {
    let disk = Disk::default();
    let (log, _writing) = log_on(&disk);
    disk.change(|state| state.fail_sync = true);
    assert!(log.append(entry()).await.is_err());
    disk.change(|state| state.fail_cut = true);
    assert!(log.append(entry()).await.is_err());
    assert!(log.probe().await.is_err(), "unhealthy as long as it cannot be repaired");
    disk.change(|state| (state.fail_sync, state.fail_cut) = (false, false));
    assert!(log.probe().await.is_ok());
    log.append(entry()).await.unwrap();
    assert_eq!(disk.records(), 1);
}

#[tokio::test]
async fn a_full_disk_is_told_to_probes_until_there_is_room() {
    let disk = Disk::default();
    let (log, _writing) = log_on(&disk);
    log.append(entry()).await.unwrap();
    disk.change(|state| state.short = Some(7));
    assert!(log.append(entry()).await.is_err());
    for _ in 0..2 {
        assert!(log.probe().await.is_err(), "the next record would not be written");
    }
    disk.change(|state| state.short = None);
    assert!(log.probe().await.is_ok());
    assert_eq!(disk.records(), 1, "a probe leaves nothing behind");
    log.append(entry()).await.unwrap();
    assert_eq!(disk.records(), 2);
}

#[tokio::test]
async fn bytes_of_others_are_neither_trusted_nor_cut() {
    let disk = Disk::default();
    let (log, _writing) = log_on(&disk);
    log.append(entry()).await.unwrap();
    disk.change(|state| state.bytes.push(b'x'));
    assert!(log.append(entry()).await.is_err());
    assert_eq!(disk.0.lock().unwrap().bytes.last(), Some(&b'x'));
    disk.change(|state| state.bytes.truncate(10));
    assert!(log.append(entry()).await.is_err());
}

#[tokio::test]
async fn closing_writes_what_waits_and_refuses_what_comes() {
    let disk = Disk::default();
    let (log, writing) = log_on(&disk);
    log.append(entry()).await.unwrap();
    log.close().await.unwrap();
    writing.join();
    assert_eq!(log.append(entry()).await, Err(AuditFault::Closed));
    assert_eq!(disk.records(), 1);
}

#[tokio::test]
async fn a_file_that_was_moved_away_takes_no_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (log, writing) = AuditLog::start(recovery::open(&path).unwrap()).await.unwrap();
    log.append(entry()).await.unwrap();
    std::fs::rename(&path, folder.path().join("moved")).unwrap();
    assert!(log.append(entry()).await.is_err());
    std::fs::write(&path, b"").unwrap();
    assert!(log.append(entry()).await.is_err());
    log.close().await.unwrap_err();
    writing.join();
}

#[tokio::test]
async fn a_chain_goes_on_over_restarts_and_crashes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for run in 1..=3 {
        let (log, writing) = AuditLog::start(recovery::open(&path).unwrap()).await.unwrap();
        log.append(entry()).await.unwrap();
        log.close().await.unwrap();
        writing.join();
        let intact = recovery::verify(&path).unwrap();
        assert_eq!(intact.records, 2 * run - 1);
        // Die in the middle of the next line.
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"seq\":");
        std::fs::write(&path, torn).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("\"event\":\"recovered\"").count(), 2);
}

#[tokio::test]
async fn a_long_day_has_checkpoints_from_which_it_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut wide = entry();
    wide.request_id = Some("x".repeat(CHECKPOINT_EVERY as usize / 16));
    for run in 1..=3 {
        let opened = recovery::open(&path).unwrap();
        let unread = opened.end.marked;
        assert_eq!(unread > 0, run > 1, "the part before a checkpoint is not read again");
        let (log, writing) = AuditLog::start(opened).await.unwrap();
        for _ in 0..20 {
            log.append(wide.clone()).await.unwrap();
        }
        log.close().await.unwrap();
        writing.join();
        let text = std::fs::read_to_string(&path).unwrap();
        let marks = text.lines().filter(|line| line.contains("\"event\":\"day_")).count() as u64;
        // One more, if a day ends meanwhile.
        assert!((0..=1).contains(&(marks - text.len() as u64 / (CHECKPOINT_EVERY + 1))));
        let intact = recovery::verify(&path).unwrap();
        assert_eq!(intact.records, text.lines().count() as u64);
    }
}
