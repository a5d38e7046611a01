//! Writing records: one thread, many waiting requests, one sync.

use crate::chain::Head;
use crate::day::Day;
use crate::entry::{Entry, Event, Outcome};
use crate::medium::Medium;
use crate::recovery::{End, Opened};
use crate::segments::Segments;
use custody_base::batch::recv_many;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot, watch};

/// The way to the log. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    orders: mpsc::Sender<Order>,
    counts: Arc<Counts>,
    head: watch::Receiver<Head>,
}

/// The record is not durable, so its action must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    #[error("the audit log cannot be written: {0}")]
    Disk(String),
    #[error("the audit log is closed")]
    Closed,
}

/// The counts of the log, for the metrics.
#[derive(Debug, Default)]
pub struct Counts {
    pub records: AtomicU64,
    /// Fewer than records when requests wait together.
    pub syncs: AtomicU64,
    pub failures: AtomicU64,
}

/// The thread that owns the file; to be joined when all is written.
pub struct Writing(JoinHandle<()>);

enum Order {
    Append(Box<Entry>, Receipt),
    /// Is the log writable? Also the occasion to repair what a failed write left.
    Probe(Receipt),
    /// Somebody may have moved the file away.
    Reopen(Receipt),
    Close(Receipt),
}

type Receipt = oneshot::Sender<Result<(), AuditFault>>;

struct Writer<M> {
    medium: M,
    /// Up to here everything is durable and whole.
    end: End,
    /// A failed write may have left bytes behind `end`.
    dirty: bool,
    /// Bytes of the write that failed last, while none has succeeded since.
    owed: usize,
    segments: Segments,
    counts: Arc<Counts>,
    /// For those who want to see `head` from outside.
    shown: watch::Sender<Head>,
}

/// Requests that may wait for the log at once; more wait for a place.
const QUEUE: usize = 1024;
/// Records in one sync.
const BATCH: usize = 256;
/// A checkpoint is written after so many bytes: some thousands of records, which are read within
/// tens of milliseconds.
const CHECKPOINT_EVERY: u64 = 4 << 20;

// === impl AuditLog ===

impl AuditLog {
    /// Starts the writing thread, and writes the record of the recovery.
    pub async fn start(opened: Opened) -> Result<(Self, Writing), AuditFault> {
        let Opened { file, end, recovered, segments } = opened;
        let (log, writing) = Self::begin(file, end, segments)?;
        if let Some(entry) = recovered {
            log.append(entry).await?;
        }
        Ok((log, writing))
    }

    /// A log over any medium that ends, at `length`, in the line of `head`.
    pub fn over(
        medium: impl Medium,
        head: Head,
        length: u64,
    ) -> Result<(Self, Writing), AuditFault> {
        let end = End { head, today: Day::default(), length, marked: length };
        Self::begin(medium, end, Segments::default())
    }

    fn begin(
        medium: impl Medium,
        end: End,
        segments: Segments,
    ) -> Result<(Self, Writing), AuditFault> {
        let (orders, inbox) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let (shown, seen) = watch::channel(end.head.clone());
        let writer = Writer {
            medium,
            end,
            dirty: false,
            owed: 0,
            segments,
            counts: Arc::clone(&counts),
            shown,
        };
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(inbox))
            .map_err(|error| AuditFault::Disk(error.to_string()))?;
        Ok((Self { orders, counts, head: seen }, Writing(thread)))
    }

    /// Returns when the record is durable.
    pub async fn append(&self, entry: Entry) -> Result<(), AuditFault> {
        self.order(|receipt| Order::Append(Box::new(entry), receipt)).await
    }

    /// Can the next record be written? Until one has failed, as far as the log can determine without a
    /// write.
    pub async fn probe(&self) -> Result<(), AuditFault> {
        self.order(Order::Probe).await
    }

    /// Goes on in a new file if somebody has moved this one away.
    pub async fn reopen(&self) -> Result<(), AuditFault> {
        self.order(Order::Reopen).await
    }

    /// Writes what is waiting and ends; later records are refused.
    pub async fn close(&self) -> Result<(), AuditFault> {
        self.order(Order::Close).await
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The last durable record.
    pub fn head(&self) -> Head {
        self.head.borrow().clone()
    }

    async fn order(&self, order: impl FnOnce(Receipt) -> Order) -> Result<(), AuditFault> {
        let (receipt, outcome) = oneshot::channel();
        self.orders.send(order(receipt)).await.map_err(|_| AuditFault::Closed)?;
        // A writer that died took the receipt with it.
        outcome.await.unwrap_or(Err(AuditFault::Closed))
    }
}

// === impl Writing ===

impl Writing {
    /// Waits for the thread to end, which it does after [`AuditLog::close`] or with the last log.
    pub fn join(self) {
        // A panic in the thread was printed there, and every record since was refused.
        let _ = self.0.join();
    }
}

// === impl Writer ===

impl<M: Medium> Writer<M> {
    fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        let mut batch = Vec::new();
        while recv_many(&mut inbox, &mut batch, BATCH) {
            let (mut entries, mut receipts, mut closing) = (Vec::new(), Vec::new(), Vec::new());
            let mut reopening = false;
            for order in batch.drain(..) {
                match order {
                    Order::Append(entry, receipt) => {
                        entries.push(entry);
                        receipts.push(receipt);
                    }
                    Order::Probe(receipt) => receipts.push(receipt),
                    Order::Reopen(receipt) => {
                        reopening = true;
                        receipts.push(receipt);
                    }
                    Order::Close(receipt) => closing.push(receipt),
                }
            }
            let reopened = if reopening { self.reopen() } else { Ok(()) };
            let outcome = reopened.and_then(|()| self.commit(&entries, SystemTime::now()));
            let outcome = outcome.map_err(|e| AuditFault::Disk(e.to_string()));
            if let Err(fault) = &outcome {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%fault, "failed to write the audit log: custody issues no lease until it can");
            }
            let last = !closing.is_empty();
            for receipt in receipts.into_iter().chain(closing) {
                // Nobody waits any more when the caller has hung up.
                let _ = receipt.send(outcome.clone());
            }
            if last {
                return;
            }
        }
    }

    /// All of the records are durable, or none of them is in the file. A mark that is due is written
    /// first, also when there is nothing else to write.
    fn commit(&mut self, entries: &[Box<Entry>], now: SystemTime) -> io::Result<()> {
        self.repair()?;
        let time = humantime::format_rfc3339_millis(now).to_string();
        let mark = due(&self.end, &time);
        let is_begun = match &mark {
            Some(mark) => self.begins_segment(mark, &time)?,
            None => false,
        };
        let mark = mark.filter(|_| !is_begun);
        let entries: Vec<&Entry> = mark.iter().chain(entries.iter().map(AsRef::as_ref)).collect();
        if entries.is_empty() && !is_begun {
            return self.rehearse();
        }
        let (mut lines, mut end) = (Vec::new(), self.end.clone());
        if mark.is_some() {
            end.marked = end.length;
        }
        for entry in &entries {
            end.head = end.head.seal(entry, &time, &mut lines).map_err(io::Error::other)?;
            end.today.add(&time, &end.head.hash);
        }
        end.length += lines.len() as u64;
        self.owed = lines.len();
        self.write(&lines)?;
        self.dirty = false;
        self.shown.send_replace(end.head.clone());
        self.end = end;
        self.counts.records.fetch_add(entries.len() as u64, Ordering::Relaxed);
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Begins a segment with this mark, if it is time for that. One that cannot be begun is tried again at
    /// the next mark: until then the old one goes on, and leases with it.
    fn begins_segment(&mut self, mark: &Entry, time: &str) -> io::Result<bool> {
        let Segments { daily, bytes } = self.segments;
        let is_due = (daily && mark.event == Event::DayClosed) || self.end.length >= bytes;
        if !is_due || self.end.length == 0 {
            return Ok(false);
        }
        let begun = self.rotate(mark, time);
        if let Err(fault) = &begun {
            tracing::error!(%fault, "failed to begin a segment of the audit log: custody goes on with the old one");
            self.repair()?;
        }
        Ok(begun.is_ok())
    }

    /// It is durable with the next sync.
    fn rotate(&mut self, mark: &Entry, time: &str) -> io::Result<()> {
        let mut line = Vec::new();
        let head = self.end.head.seal(mark, time, &mut line).map_err(io::Error::other)?;
        self.medium.rotate(&line)?;
        let mut today = self.end.today.clone();
        today.add(time, &head.hash);
        self.end = End { head, today, length: line.len() as u64, marked: 0 };
        self.counts.records.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The log removes the rest of a failed write from the file that was moved away.
    fn reopen(&mut self) -> io::Result<()> {
        if self.dirty {
            self.medium.cut(self.end.length)?;
            self.dirty = false;
        }
        if self.medium.reopen()? {
            (self.end.length, self.end.marked) = (0, 0);
        }
        Ok(())
    }

    /// After a write that failed (on a full disk): would it succeed now? It is taken back at once.
    fn rehearse(&mut self) -> io::Result<()> {
        if self.owed == 0 {
            return Ok(());
        }
        self.write(&vec![b' '; self.owed])?;
        self.repair()
    }

    /// Until `dirty` is cleared these bytes may be cut off again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.dirty = true;
        self.medium.append(bytes)?;
        self.medium.sync()?;
        self.owed = 0;
        Ok(())
    }

    /// Cuts off what a failed write or sync left. After a failed sync the kernel may have dropped pages
    /// that it marks as clean, so the log writes those bytes again.
    fn repair(&mut self) -> io::Result<()> {
        let length = self.medium.length()?;
        if self.dirty && length >= self.end.length {
            self.medium.cut(self.end.length)?;
            self.dirty = false;
        } else if length != self.end.length {
            return Err(io::Error::other("somebody else has changed the file"));
        }
        Ok(())
    }
}

/// The mark that must precede a record of this time: of the day that is over, or of the day that has
/// become long or whose records before this segment are elsewhere.
fn due(end: &End, time: &str) -> Option<Entry> {
    if let Some(day) = end.today.before(time) {
        let mut entry = Entry::new(Event::DayClosed, Outcome::Note);
        entry.day = Some(day);
        return Some(entry);
    }
    let is_long = end.length.saturating_sub(end.marked) >= CHECKPOINT_EVERY;
    let begins_segment = end.length == 0 && end.head.seq > 0;
    (is_long || begins_segment).then(|| {
        let mut entry = Entry::new(Event::DayCheckpoint, Outcome::Note);
        entry.checkpoint = Some(end.today.checkpoint());
        entry
    })
}

#[cfg(test)]
mod segment_tests;
#[cfg(test)]
mod tests;
