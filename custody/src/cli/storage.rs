//! The sealed store, for commands that come and go.

use crate::config::Storage;
use anyhow::{Context, Result, anyhow};
use custody_backends::sealed::{NewKey, SealedStore};
use custody_ledger::Missing;

/// Opens the store beside other processes that have it open, and runs this with it.
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
        let ledger = storage.ledger.open(missing).await?;
        let store = SealedStore::open(ledger, &storage.sealing, new).await;
        let store = store.map_err(|fault| anyhow!(fault.told_of(&storage.ledger)))?;
        run(&store).await
    })
}
