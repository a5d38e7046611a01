//! The sealed store, for commands that come and go.

use crate::config::Storage;
use crate::ledger::{Missing, SqliteLedger};
use crate::sealed::{NewKey, SealedStore};
use anyhow::{Context, Result, anyhow};
use std::sync::Arc;

/// Opens the store beside whoever else has it open, and runs this with it.
pub fn with_store<T>(
    storage: &Storage,
    (missing, new): (Missing, NewKey),
    run: impl AsyncFnOnce(&SealedStore) -> Result<T>,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let path = &storage.store;
        let ledger = SqliteLedger::open(path, missing)
            .with_context(|| format!("store.path: {}", path.display()))?;
        let store = SealedStore::open(Arc::new(ledger), &storage.sealing, new).await;
        let store = store.map_err(|fault| anyhow!(fault.told_of(path)))?;
        run(&store).await
    })
}
