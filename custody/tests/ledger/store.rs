//! Where a case gets its ledgers from.

use async_trait::async_trait;
use custody::ledger::{Ledger, Missing, SqliteLedger};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What makes empty ledgers.
#[async_trait]
pub trait Store: Sync {
    async fn make(&self, name: &str) -> Arc<dyn Home>;
}

/// One ledger, which may be opened any number of times.
#[async_trait]
pub trait Home: Send + Sync {
    async fn open(&self) -> Arc<dyn Ledger>;
}

pub struct Sqlite {
    folder: PathBuf,
}

struct SqliteHome {
    path: PathBuf,
}

// === impl Sqlite ===

impl Sqlite {
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn make(&self, name: &str) -> Arc<dyn Home> {
        Arc::new(SqliteHome { path: self.folder.join(name) })
    }
}

#[async_trait]
impl Home for SqliteHome {
    async fn open(&self) -> Arc<dyn Ledger> {
        Arc::new(SqliteLedger::open(&self.path, Missing::Create).unwrap())
    }
}
