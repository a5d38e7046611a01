//! Says on standard error which step is under way and how long each one took.
//!
//! A step's line stands there before the step begins; a step that runs a command repeats, every few
//! seconds, how long it has been going and the last line the command wrote, so a first build of
//! many minutes never looks like a hang.

use std::io::Write;
use std::time::{Duration, Instant};

/// How often a long step says that it is still going.
pub const STILL_GOING: Duration = Duration::from_secs(5);

/// A numbered row of steps: `[2/6] fetching Envoy ... 3.2 s`.
pub struct Progress {
    total: usize,
    done: usize,
    shown: bool,
}

/// One step under way; says its time when it is finished, and `failed` when it is dropped.
pub struct Step<'a> {
    progress: &'a Progress,
    name: String,
    label: String,
    started: Instant,
    finished: bool,
    broken_line: bool,
}

// === impl Progress ===

impl Progress {
    pub fn new(total: usize) -> Self {
        Self { total, done: 0, shown: true }
    }

    /// Steps that nobody watches, as in a test.
    pub fn silent() -> Self {
        Self { total: 0, done: 0, shown: false }
    }

    /// Begins the next step and prints its line.
    pub fn step(&mut self, name: impl Into<String>) -> Step<'_> {
        self.done += 1;
        let label = format!("[{}/{}]", self.done, self.total.max(self.done));
        let name = name.into();
        self.write(&format!("{label} {name} ..."));
        Step {
            progress: self,
            name,
            label,
            started: Instant::now(),
            finished: false,
            broken_line: false,
        }
    }

    fn write(&self, text: &str) {
        if self.shown {
            let mut stderr = std::io::stderr().lock();
            // Nobody left to read the progress is no reason to stop.
            let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
        }
    }
}

// === impl Step ===

impl Step<'_> {
    /// Says on a line of its own that the step is still going, with its latest news.
    pub fn still(&mut self, news: &str) {
        let broken = if self.broken_line { "" } else { "\n" };
        self.progress.write(&format!("{broken}      {}  {news}\n", self.elapsed()));
        self.broken_line = true;
    }

    /// From here on something else writes whole lines to the terminal (a test runner).
    pub fn hand_over_terminal(&mut self) {
        if !self.broken_line {
            self.progress.write("\n");
            self.broken_line = true;
        }
    }

    pub fn finish(self) {
        self.finish_with("");
    }

    /// Ends the step with a remark behind its time.
    pub fn finish_with(mut self, remark: &str) {
        self.finished = true;
        let remark = if remark.is_empty() { String::new() } else { format!("  {remark}") };
        self.end(&format!("{}{remark}", self.elapsed()));
    }

    fn end(&self, outcome: &str) {
        if self.broken_line {
            self.progress.write(&format!("{} {}: {outcome}\n", self.label, self.name));
        } else {
            self.progress.write(&format!(" {outcome}\n"));
        }
    }

    fn elapsed(&self) -> String {
        format!("{:.1} s", self.started.elapsed().as_secs_f64())
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.end(&format!("failed after {}", self.elapsed()));
        }
    }
}
