//! The threads on which a stack's own servers run. They are the stack's and not its caller's, so a
//! test may block on `curl` as it likes, inside of any runtime or none.

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// Enough that one server never waits for another.
const THREADS: usize = 2;

/// A runtime that may be dropped anywhere, also inside of another one.
pub struct Background(Option<Runtime>, Handle);

// === impl Background ===

impl Background {
    /// # Errors
    /// No threads to be had.
    pub fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .context("threads for the stack's own servers")?;
        let handle = runtime.handle().clone();
        Ok(Self(Some(runtime), handle))
    }

    pub fn handle(&self) -> &Handle {
        &self.1
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
