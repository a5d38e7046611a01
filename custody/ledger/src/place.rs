//! Which ledger: a file or a database.

use super::postgres::ConnectFault;
use super::{Ledger, Missing, OpenFault, PostgresLedger, PostgresPlace, SqliteLedger};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the ledger is.
#[derive(Clone, Debug)]
pub enum LedgerPlace {
    Sqlite(PathBuf),
    Postgres(Box<PostgresPlace>),
}

/// The ledger cannot be opened. The text begins with the field of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum PlaceFault {
    #[error("store.path: {}", fault.of(path))]
    Sqlite { path: PathBuf, fault: OpenFault },
    #[error("store.postgres{0}")]
    Postgres(#[from] ConnectFault),
}

// === impl LedgerPlace ===

impl LedgerPlace {
    /// # Errors
    /// It is not there, does not answer, or is not ours.
    pub async fn open(&self, missing: Missing) -> Result<Arc<dyn Ledger>, PlaceFault> {
        match self {
            Self::Sqlite(path) => match SqliteLedger::open(path, missing) {
                Ok(ledger) => Ok(Arc::new(ledger)),
                Err(fault) => Err(PlaceFault::Sqlite { path: path.clone(), fault }),
            },
            Self::Postgres(place) => Ok(Arc::new(PostgresLedger::open(place, missing).await?)),
        }
    }

    /// For people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// A file that is not made yet, or has nothing in it. Of a database, only [`LedgerPlace::open`]
    /// finds that out.
    pub fn missing(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => {
                let is_empty = path.metadata().map_or(true, |metadata| metadata.len() == 0);
                is_empty.then_some(path)
            }
            Self::Postgres(_) => None,
        }
    }
}

/// The field of the configuration, and what it names.
impl fmt::Display for LedgerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "store.path: {}", path.display()),
            Self::Postgres(_) => f.write_str("store.postgres"),
        }
    }
}
