//! What happens to the crowd and to custody, and when.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use stack::Stack;

use super::load_generator::LoadGenerator;

/// Custody is restarted so often.
const RESTART: Duration = Duration::from_secs(30);
/// A session is revoked so often.
const REVOKE: Duration = Duration::from_millis(500);
/// How long the kill switch stays on.
const KILLED: Duration = Duration::from_secs(15);

/// The next of each, counted from the beginning.
pub struct Script {
    restart: Duration,
    revoke: Duration,
    kill: Option<Duration>,
    restore: Option<Duration>,
    revoked: usize,
}

/// Steps through the sessions that meet each of them sooner or later.
const STRIDE: usize = 997;

// === impl Script ===

impl Script {
    pub fn new(time: Duration) -> Self {
        let kill = time / 2;
        Self {
            restart: RESTART,
            revoke: REVOKE,
            kill: Some(kill),
            restore: Some(kill + KILLED),
            revoked: 0,
        }
    }

    /// Does what is due, or waits a moment.
    ///
    /// # Errors
    /// Custody does not come up again, or does not take a command.
    pub fn act(
        &mut self,
        stack: &mut Stack,
        load_generator: &LoadGenerator,
        now: Duration,
    ) -> Result<()> {
        if self.restart <= now {
            self.restart += RESTART;
            stack.stop_custody();
            stack.start_custody()?;
        }
        if self.kill.take_if(|at| *at <= now).is_some() {
            stack.custody().operate(&["kill", "on"])?;
            load_generator.kill(true);
        }
        if self.restore.take_if(|at| *at <= now).is_some() {
            load_generator.kill(false);
            stack.custody().operate(&["kill", "off"])?;
        }
        if self.revoke > now {
            thread::sleep((self.revoke - now).min(REVOKE));
            return Ok(());
        }
        self.revoke = now + REVOKE;
        self.revoked += STRIDE;
        if let Some(id) = load_generator.revoke(self.revoked) {
            stack.custody().operate(&["revoke", "session", &id])?;
        }
        Ok(())
    }
}
