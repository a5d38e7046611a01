//! What changes around the edge between two steps: time, custody's news, the issuer's keys.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use host_sim::cases::{Case, CaseFile, IssuerScript, Step, SyncStep, SyncUpdate};
use serde_json::Value;
use stack::envoy::running::WORKERS;
use stack::issuer::Published;
use stack::{Answer, Stack};

/// What a case may let pass on a real clock.
pub const LONGEST: Duration = Duration::from_secs(15);
/// A worker that has failed to hear asks again after seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Envoy runs the module on each worker, and on its main thread; all of them poll.
const VMS: usize = WORKERS + 1;
/// Between two looks at who listens.
const POLL: Duration = Duration::from_millis(5);

/// Of one case.
pub struct Outside {
    /// Whose cursors these are.
    case: String,
    has_news: bool,
    fetches_keys: bool,
    first_keys: IssuerScript,
    told: usize,
    passed: Duration,
}

// === impl Outside ===

impl Outside {
    pub fn new(file: &CaseFile, case: &Case) -> Self {
        let steps = case.steps();
        let letters = case.name.chars().filter(char::is_ascii_alphanumeric);
        Self {
            case: letters.take(40).collect(),
            has_news: steps.iter().any(|step| step.news.is_some()),
            fetches_keys: IssuerScript::is_asked(case.config_in(file).as_ref()),
            first_keys: steps.first().and_then(|step| step.issuer.clone()).unwrap_or_default(),
            told: 0,
            passed: Duration::ZERO,
        }
    }

    /// As every case finds it: nothing is revoked, and no keys have been fetched.
    pub fn begin(&mut self, stack: &mut Stack) -> Result<()> {
        if self.fetches_keys {
            stack.issuer()?.publish(published(&self.first_keys));
            stack.restart_edge(|_| ())?;
        }
        self.end(stack)
    }

    /// So many seconds have passed since the beginning, for the clock of the case.
    pub fn follow(&mut self, stack: &mut Stack, step: &Step) -> Result<u64> {
        if let Some(script) = &step.issuer {
            stack.issuer()?.publish(published(script));
        }
        let wait = step.wait().map_err(anyhow::Error::msg)?;
        thread::sleep(wait);
        self.passed += wait;
        if let Some(news) = &step.news {
            self.tell(stack, news)?;
        }
        Ok(self.passed.as_secs())
    }

    /// Takes back what was told.
    pub fn end(&mut self, stack: &mut Stack) -> Result<()> {
        if self.has_news {
            self.tell(stack, &SyncStep::Update(SyncUpdate::nothing()))
        } else {
            Ok(())
        }
    }

    /// Returns when every worker has heard it.
    fn tell(&mut self, stack: &mut Stack, news: &SyncStep) -> Result<()> {
        self.told += 1;
        stack.fake_custody(Answer::Stall)?;
        let custody = stack.scripted_custody()?;
        let SyncStep::Update(update) = news else {
            custody.publish(Value::Null);
            return Ok(());
        };
        custody.publish(update.body(&format!("{}{}", self.case, self.told)));
        let since = Instant::now();
        while custody.waiting_polls() < VMS {
            ensure!(since.elapsed() < PATIENCE, "news: not every worker asks for them");
            thread::sleep(POLL);
        }
        Ok(())
    }
}

fn published(script: &IssuerScript) -> Published {
    match script.response() {
        Some((status, body)) => Published::Answer { status, body },
        None => Published::Silence,
    }
}
