//! Where a custody under test keeps its ledger: in a SQLite file, or in a real PostgreSQL.
#![allow(dead_code, unused_imports, unused_macros, reason = "every test file uses a part of it")]

use custody_ledger::{Ledger, LedgerPlace, Missing, PostgresPlace};
use stack::postgres::{PgBouncer, PoolMode, Postgres, RunningPgBouncer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Sqlite,
    Postgres,
}

/// A PostgreSQL of one's own, and a database there in which nothing is yet. Dropping it ends it.
pub struct Database {
    server: Postgres,
    url: String,
    _folder: tempfile::TempDir,
}

/// The database that every server begins with: making another would take longer than many a test.
const NAME: &str = "postgres";

/// Makes two tests, `sqlite::NAME` and `postgres::NAME`, of each function it names. One that it does
/// not name is dead code, and does not compile.
macro_rules! on_both_stores {
    (#[$test:meta] $($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[$test]
            async fn $name() {
                super::$name(super::Store::Sqlite).await;
            })+
        }

        mod postgres {
            $(#[$test]
            async fn $name() {
                super::$name(super::Store::Postgres).await;
            })+
        }
    };
}
pub(crate) use on_both_stores;

// === impl Store ===

impl Store {
    /// As `GET /v1/status` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// A new database; `None` for a store that is a file.
    pub fn database(self) -> Option<Database> {
        (self == Self::Postgres).then(Database::start)
    }
}

// === impl Database ===

impl Database {
    /// Starts a server. Blocks for some tenths of a second.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Postgres::start(folder.path()).unwrap();
        let url = server.url(NAME);
        Self { server, url, _folder: folder }
    }

    /// With the password in it.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn ca(&self) -> PathBuf {
        self.server.ca()
    }

    pub fn run(&self, statement: &str) {
        self.server.sql(NAME, statement).unwrap();
    }

    /// A PgBouncer in front of it.
    pub fn pgbouncer(&self, mode: PoolMode) -> RunningPgBouncer {
        let pgbouncer = PgBouncer::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
        pgbouncer.start(self._folder.path(), &self.server, mode).unwrap()
    }

    pub fn place(&self) -> PostgresPlace {
        let mut place = PostgresPlace::parse(&self.url).unwrap();
        place.ca = Some(self.ca());
        place
    }

    /// Opened as a replica of its own.
    pub async fn ledger(&self) -> Arc<dyn Ledger> {
        let place = LedgerPlace::Postgres(Box::new(self.place()));
        place.open(Missing::Create).await.unwrap()
    }
}

/// The ledger in this database or, without one, in this file.
pub async fn ledger(database: Option<&Database>, file: &Path) -> Arc<dyn Ledger> {
    match database {
        Some(database) => database.ledger().await,
        None => LedgerPlace::Sqlite(file.to_owned()).open(Missing::Create).await.unwrap(),
    }
}
