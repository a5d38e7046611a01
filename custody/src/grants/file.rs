//! New grants without a restart: all of them or none.

use super::{Grants, LiveGrants};
use custody_audit::entry::Reload;
use custody_audit::{AuditFault, AuditLog, Entry, Event, Outcome};
use custody_base::files::Stamp;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// The configuration file that the grants in force were read from.
pub struct GrantsFile {
    path: PathBuf,
    load: Load,
    grants: Arc<LiveGrants>,
    audit: AuditLog,
    /// One at a time, so that the last one read is the one that stays.
    turn: Mutex<()>,
}

/// Reads the grants of this file.
pub type Load = Arc<dyn Fn(&Path) -> Result<Grants, WrongGrants> + Send + Sync>;

/// Everything that is wrong with the grants of a file.
pub type WrongGrants = Box<dyn Error + Send + Sync>;

/// What is in force after a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// [`super::Grants::digest`].
    pub digest: String,
    pub grants: usize,
    /// `false`: the file says what it said before.
    pub changed: bool,
}

/// The old grants are still in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadFault {
    #[error("{0}")]
    Config(WrongGrants),
    #[error("the new grants are right, and are not in force: {0}")]
    Audit(#[from] AuditFault),
    #[error("the file was not read: {0}")]
    Unread(String),
}

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

// === impl GrantsFile ===

impl GrantsFile {
    pub fn new(path: PathBuf, load: Load, grants: Arc<LiveGrants>, audit: AuditLog) -> Self {
        Self { path, load, grants, audit, turn: Mutex::new(()) }
    }

    /// Reads the section `grants` anew. What is in force changes only when the audit log says so.
    ///
    /// # Errors
    /// [`ReloadFault`], which the audit log has heard of.
    pub async fn reload(&self, by: &str) -> Result<Reloaded, ReloadFault> {
        let _turn = self.turn.lock().await;
        let (path, load) = (self.path.clone(), Arc::clone(&self.load));
        let read = tokio::task::spawn_blocking(move || load(&path)).await;
        let read = read.map_err(|error| ReloadFault::Unread(error.to_string()))?;
        let old = self.grants.current();
        let new = match read {
            Ok(new) => new,
            Err(faults) => {
                tracing::error!(%faults, by, "failed to load the grants: custody uses the old ones");
                self.audit.append(entry(Event::GrantsRefused, old.digest(), by)).await?;
                return Err(ReloadFault::Config(faults));
            }
        };
        let (digest, grants) = (new.digest().to_owned(), new.iter().count());
        let changed = digest != old.digest();
        if changed {
            self.audit.append(entry(Event::GrantsReloaded, &digest, by)).await?;
            self.grants.replace(new);
            tracing::info!(digest, grants, by, "loaded new grants");
        }
        Ok(Reloaded { digest, grants, changed })
    }

    /// Reloads whenever the file has become another one and stayed it for a look; until `stop`. The
    /// first look counts as a change: the file may have changed since custody read it.
    pub async fn watch(&self, mut stop: watch::Receiver<bool>) {
        let (mut loaded, mut before) = (None, None);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = Some(Stamp::of([self.path.as_path()]));
            let is_whole = now.as_ref().is_some_and(Stamp::is_whole);
            if is_whole && now != loaded && now == before {
                loaded.clone_from(&now);
                // What is wrong is in the log.
                let _ = self.reload("file").await;
            }
            before = now;
        }
    }
}

fn entry(event: Event, digest: &str, by: &str) -> Entry {
    let mut entry = Entry::new(event, Outcome::Note);
    entry.reload = Some(Reload { grants_digest: digest.to_owned(), by: by.to_owned() });
    entry
}
