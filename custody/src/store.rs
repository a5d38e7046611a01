//! The sealed store: credentials in one SQLite file, each under its actor's key.
//!
//! What stands in the file in the clear: actor, handle, version, shape (which header, which user
//! name) and the time. The secret itself is an [`envelope`]. Every change is one transaction.

pub mod envelope;
pub mod root_key;
mod schema;

use crate::actor::Actor;
use crate::backend::{Asked, BackendFault, CredentialBackend, LongLived};
use crate::clock;
use crate::credential::{Credential, CredentialFault, Resolved, Shape};
use crate::files;
use async_trait::async_trait;
use envelope::Place;
use lease::{Handle, Secret};
use root_key::{RootKey, StoreKeys};
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An open store.
pub struct SealedStore {
    connection: Mutex<Connection>,
    keys: StoreKeys,
}

/// What may be shown of a stored credential: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    pub actor: String,
    pub handle: String,
    /// Grows with every `put` into this store; never used twice.
    pub version: u64,
    #[serde(flatten)]
    pub shape: Shape,
    /// Unix seconds.
    pub stored_at: u64,
}

/// Whether a store that is not there is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Create,
    Refuse,
}

/// The store cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    #[error(transparent)]
    File(#[from] files::FileFault),
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("this root key did not seal this store; give store.root_key the key it was made with")]
    WrongKey,
    #[error("the file belongs to another program; give store.path another name")]
    Foreign,
    #[error("the store has layout {0}, which this version of custody does not know")]
    Layout(i64),
    #[error("the operating system gave no randomness")]
    Randomness,
    #[error("the credential cannot be stored: {0}")]
    Credential(#[from] CredentialFault),
    #[error("{0}")]
    Unopened(#[from] envelope::Unopened),
    #[error("a row of the store does not read: {0}")]
    Row(&'static str),
}

// === impl SealedStore ===

impl SealedStore {
    /// Opens the store at `path` and checks that `root` is its key.
    pub fn open(path: &Path, root: &RootKey, missing: Missing) -> Result<Self, StoreFault> {
        if missing == Missing::Create && !path.exists() {
            // SQLite would create it with a mode that others can read, and its journals take over
            // the mode of the file.
            files::create_private(path, b"")?;
            files::sync_folder_of(path)
                .map_err(|source| files::FileFault::Io { path: path.to_owned(), source })?;
        }
        refuse_foreign(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        schema::prepare(&connection)?;
        let keys = schema::unlock(&mut connection, root)?;
        Ok(Self { connection: Mutex::new(connection), keys })
    }

    /// Stores or replaces a credential; the answer is its version.
    pub fn put(
        &self,
        actor: &Actor,
        handle: &Handle,
        credential: &Credential,
    ) -> Result<u64, StoreFault> {
        // A value that could never be leased is refused now, not when a guest waits for it.
        if credential.kind().is_headers() {
            credential.headers()?;
        }
        let shape =
            serde_json::to_string(&credential.shape()).map_err(|_| StoreFault::Row("the shape"))?;
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: u64 = transaction.query_row(
            "UPDATE store SET last_version = last_version + 1 RETURNING last_version",
            (),
            |row| row.get(0),
        )?;
        let place = Place { actor, handle, version, shape: &shape };
        let envelope = envelope::seal(&self.keys.of_actor(actor), &place, &credential.secret())?;
        transaction.execute(
            "INSERT OR REPLACE INTO credential (actor, handle, version, shape, envelope, stored_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (actor.as_str(), handle.as_str(), version, &shape, &envelope, clock::now()),
        )?;
        transaction.commit()?;
        Ok(version)
    }

    /// The credential, opened; `None` if there is none.
    pub fn get(&self, actor: &Actor, handle: &Handle) -> Result<Option<Credential>, StoreFault> {
        let row = self
            .connection()
            .query_row(
                "SELECT version, shape, envelope FROM credential WHERE actor = ?1 AND handle = ?2",
                (actor.as_str(), handle.as_str()),
                |row| Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?, row.get(2)?)),
            )
            .optional()?;
        let Some((version, shape, sealed)): Option<(u64, String, Vec<u8>)> = row else {
            return Ok(None);
        };
        let place = Place { actor, handle, version, shape: &shape };
        let secret = envelope::open(&self.keys.of_actor(actor), &place, &sealed)?;
        let shape: Shape =
            serde_json::from_str(&shape).map_err(|_| StoreFault::Row("the shape"))?;
        Ok(Some(shape.with(secret)?))
    }

    /// Everything that is stored, in order of actor and handle.
    pub fn list(&self) -> Result<Vec<Listed>, StoreFault> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT actor, handle, version, shape, stored_at FROM credential
             ORDER BY actor, handle",
        )?;
        let rows = statement.query_map((), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, row.get(4)?))
        })?;
        let mut all = Vec::new();
        for row in rows {
            let (actor, handle, version, shape, stored_at) = row?;
            let shape = serde_json::from_str(&shape).map_err(|_| StoreFault::Row("the shape"))?;
            all.push(Listed { actor, handle, version, shape, stored_at });
        }
        Ok(all)
    }

    /// Removes a credential and overwrites where it was; `false` if there was none.
    pub fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, StoreFault> {
        let removed = self.connection().execute(
            "DELETE FROM credential WHERE actor = ?1 AND handle = ?2",
            (actor.as_str(), handle.as_str()),
        )?;
        Ok(removed > 0)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic between two statements leaves no half transaction: SQLite rolls it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SQLite takes a file of less than a page, whatever it says, for an empty one and overwrites it.
fn refuse_foreign(path: &Path) -> Result<(), StoreFault> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let io = |source| files::FileFault::Io { path: path.to_owned(), source };
    let mut begin = Vec::with_capacity(MAGIC.len());
    let file = File::open(path).map_err(io)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut begin).map_err(io)?;
    if begin.is_empty() || begin == MAGIC { Ok(()) } else { Err(StoreFault::Foreign) }
}

/// The store as a backend. SQLite blocks, so it is asked beside the async threads.
pub struct SealedBackend(Arc<SealedStore>);

impl SealedBackend {
    pub fn new(store: Arc<SealedStore>) -> Self {
        Self(store)
    }
}

#[async_trait]
impl CredentialBackend for SealedBackend {
    fn name(&self) -> &str {
        "sealed"
    }

    fn is_capable(&self, _: &Asked<'_>) -> bool {
        true
    }

    async fn resolve(&self, asked: &Asked<'_>) -> Result<Resolved, BackendFault> {
        let store = Arc::clone(&self.0);
        let (actor, handle) = (asked.actor.clone(), asked.handle.clone());
        let credential = tokio::task::spawn_blocking(move || store.resolve(&actor, &handle))
            .await
            .unwrap_or_else(|_| Err(BackendFault::Down("it panicked".into())))?;
        let (target, scope) = (None, Vec::new());
        Ok(Resolved { credential, target, scope, expires_at: None, revocation: None })
    }

    async fn revoke(&self, _: &str) {}
}

impl SealedBackend {
    /// As [`SealedStore::resolve`], beside the async threads.
    ///
    /// # Errors
    /// [`BackendFault`].
    pub async fn resolve_own(
        &self,
        actor: &Actor,
        handle: &Handle,
    ) -> Result<Credential, BackendFault> {
        let (store, actor, handle) = (Arc::clone(&self.0), actor.clone(), handle.clone());
        tokio::task::spawn_blocking(move || store.resolve(&actor, &handle))
            .await
            .unwrap_or_else(|_| Err(BackendFault::Down("it panicked".into())))
    }
}

#[async_trait]
impl LongLived for SealedBackend {
    async fn read(&self, actor: &Actor, handle: &Handle) -> Result<Secret, BackendFault> {
        Ok(self.resolve_own(actor, handle).await?.secret())
    }

    async fn replace(
        &self,
        actor: &Actor,
        handle: &Handle,
        secret: &Secret,
    ) -> Result<(), BackendFault> {
        let unreadable = |fault: CredentialFault| BackendFault::Unreadable(fault.to_string());
        let shape = self.resolve_own(actor, handle).await?.shape();
        let credential = shape.with(secret.duplicate()).map_err(unreadable)?;
        let (store, actor, handle) = (Arc::clone(&self.0), actor.clone(), handle.clone());
        tokio::task::spawn_blocking(move || store.put(&actor, &handle, &credential))
            .await
            .map_err(|_| BackendFault::Down("it panicked".into()))?
            .map(drop)
            .map_err(|fault| BackendFault::Down(fault.to_string()))
    }
}

impl SealedStore {
    /// The credential, with its absence as a fault.
    pub fn resolve(&self, actor: &Actor, handle: &Handle) -> Result<Credential, BackendFault> {
        match self.get(actor, handle) {
            Ok(Some(credential)) => Ok(credential),
            Ok(None) => Err(BackendFault::Absent),
            Err(StoreFault::Sqlite(error)) => Err(BackendFault::Down(error.to_string())),
            Err(other) => Err(BackendFault::Unreadable(other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
