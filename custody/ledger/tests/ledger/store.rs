//! Where a case gets its ledgers from.

use async_trait::async_trait;
use custody_ledger::{Ledger, Missing, PostgresLedger, PostgresPlace, SqliteLedger};
use stack::postgres::Postgres;
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

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
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

/// A server of one's own, with a database for each case.
pub struct OnServer {
    server: Postgres,
}

struct Database {
    place: PostgresPlace,
}

// === impl OnServer ===

impl OnServer {
    pub async fn in_folder(folder: &Path) -> Self {
        let folder = folder.to_owned();
        let starting = tokio::task::spawn_blocking(move || Postgres::start(&folder).unwrap());
        Self { server: starting.await.unwrap() }
    }

    pub fn server(&self) -> &Postgres {
        &self.server
    }

    pub fn server_mut(&mut self) -> &mut Postgres {
        &mut self.server
    }
}

#[async_trait]
impl Store for OnServer {
    async fn make(&self, name: &str) -> Arc<dyn Home> {
        let url = tokio::task::block_in_place(|| self.server.create_database(name).unwrap());
        Arc::new(Database { place: place(&self.server, &url) })
    }
}

pub fn place(server: &Postgres, url: &str) -> PostgresPlace {
    let mut place = PostgresPlace::parse(url).unwrap();
    place.ca = Some(server.ca());
    place
}

#[async_trait]
impl Home for Database {
    async fn open(&self) -> Arc<dyn Ledger> {
        Arc::new(PostgresLedger::open(&self.place, Missing::Create).await.unwrap())
    }
}
