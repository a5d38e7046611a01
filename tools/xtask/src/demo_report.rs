//! The demo's page: a line a step, in three columns, and the count at the end.

use std::process::ExitCode;

/// Widths of the columns for what the guest sent and what it got.
const SENT: usize = 49;
const GOT: usize = 26;

/// Counts steps and prints them.
#[derive(Default)]
pub struct DemoReport {
    passed: usize,
    failed: usize,
}

/// One step as it is told.
pub struct ReportLine<'a> {
    /// What the guest sent.
    pub sent: &'a str,
    /// What it got.
    pub got: String,
    /// What the origin saw.
    pub origin: String,
    /// What was expected instead; `None` if all is well.
    pub wrong: Option<String>,
}

// === impl DemoReport ===

impl DemoReport {
    pub fn print_header(&self) {
        println!("      {:SENT$}{:GOT$}the origin saw", "the guest sent", "the guest got");
    }

    pub fn add(&mut self, line: &ReportLine<'_>) {
        let verdict = if line.wrong.is_none() { "ok  " } else { "FAIL" };
        println!("{verdict}  {:SENT$}{:GOT$}{}", line.sent, line.got, line.origin);
        match &line.wrong {
            None => self.passed += 1,
            Some(expected) => {
                println!("      expected: {expected}");
                self.failed += 1;
            }
        }
    }

    /// The last line, and the exit code that goes with it.
    pub fn finish(&self) -> ExitCode {
        println!("demo: {} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
