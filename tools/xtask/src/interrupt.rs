//! Ctrl-C, SIGTERM and a closed terminal, as something to wait for or to look at between two steps,
//! so that everything is taken down in order.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Remembers an interruption.
#[derive(Clone)]
pub struct Interrupt(Arc<(Mutex<bool>, Condvar)>);

// === impl Interrupt ===

impl Interrupt {
    /// From now on interruptions no longer end this program by themselves.
    ///
    /// # Errors
    /// The system does not let us listen for signals.
    pub fn listen() -> Result<Self> {
        let interrupt = Self(Arc::default());
        let heard = interrupt.clone();
        let runtime =
            Builder::new_current_thread().enable_all().build().context("listening for Ctrl-C")?;
        let (mut interrupted, mut terminated, mut hung_up) = {
            let _inside = runtime.enter();
            let listen = |kind| signal(kind).context("listening for Ctrl-C");
            (
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            )
        };
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupted.recv() => {}
                    _ = terminated.recv() => {}
                    _ = hung_up.recv() => {}
                }
            });
            let (came, wake) = &*heard.0;
            *came.lock().unwrap_or_else(PoisonError::into_inner) = true;
            wake.notify_all();
        });
        Ok(interrupt)
    }

    /// Has it come?
    pub fn came(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for it, for `limit` at most; whether it came.
    pub fn wait(&self, limit: Duration) -> bool {
        let (came, wake) = &*self.0;
        let came = came.lock().unwrap_or_else(PoisonError::into_inner);
        let (came, _) = wake
            .wait_timeout_while(came, limit, |came| !*came)
            .unwrap_or_else(PoisonError::into_inner);
        *came
    }
}
