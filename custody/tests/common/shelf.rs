//! A sealed store with secrets that backends live on, and the ledger beside it.

use super::stores::{self, Database, Store};
use custody_audit::{AuditLog, recovery};
use custody_backends::sealed::{NewKey, SealWith, SealedStore, Sealing};
use custody_base::actor::Actor;
use custody_base::credential::Shape;
use custody_ledger::Ledger;
use lease::{Handle, Secret};
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;

pub fn actor() -> Actor {
    Actor::DEFAULT.parse().unwrap()
}

pub fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

/// A store and what it is kept in.
pub struct Shelf {
    pub store: Arc<SealedStore>,
    pub ledger: Arc<dyn Ledger>,
    pub audit: AuditLog,
    folder: TempDir,
    _database: Option<Database>,
}

/// Each secret under its handle, of the default actor.
pub async fn shelf(store: Store, secrets: &[(&str, &str)]) -> Shelf {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    custody_base::files::create_private(&path("root.key"), "07".repeat(32).as_bytes()).unwrap();
    let database = store.database();
    let ledger = stores::ledger(database.as_ref(), &path("custody.db")).await;
    let with = SealWith::RootKey(path("root.key"));
    let sealing = Sealing { with, previous_root_keys: Vec::new() };
    let store = SealedStore::open(ledger.clone(), &sealing, NewKey::Add).await.unwrap();
    for (name, secret) in secrets {
        let secret = Shape::Opaque.with(Secret::new(*secret)).unwrap();
        store.put(&actor(), &handle(name), &secret).await.unwrap();
    }
    let (audit, _) = AuditLog::start(recovery::open(&path("audit")).unwrap()).await.unwrap();
    Shelf { store: Arc::new(store), ledger, audit, folder, _database: database }
}

// === impl Shelf ===

impl Shelf {
    /// The audit records of this event.
    pub fn records(&self, event: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("audit")).unwrap();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter(|record| record["event"] == event).collect()
    }
}
