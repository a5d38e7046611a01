//! A sealed store with secrets that backends live on, and the ledger beside it.

use custody::actor::Actor;
use custody::backend::sealed::SealedBackend;
use custody::config::{SealWith, Sealing};
use custody::credential::Shape;
use custody::ledger::{Missing, SqliteLedger};
use custody::sealed::{NewKey, SealedStore};
use lease::{Handle, Secret};
use std::sync::Arc;
use tempfile::TempDir;

pub fn actor() -> Actor {
    Actor::DEFAULT.parse().unwrap()
}

pub fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

/// Each secret under its handle, of the default actor.
pub async fn shelf(secrets: &[(&str, &str)]) -> (TempDir, SealedBackend, Arc<SqliteLedger>) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    custody::files::create_private(&path("root.key"), "07".repeat(32).as_bytes()).unwrap();
    let ledger = Arc::new(SqliteLedger::open(&path("custody.db"), Missing::Create).unwrap());
    let with = SealWith::RootKey(path("root.key"));
    let sealing = Sealing { with, previous_root_keys: Vec::new() };
    let store = SealedStore::open(ledger.clone(), &sealing, NewKey::Add).await.unwrap();
    for (name, secret) in secrets {
        let secret = Shape::Opaque.with(Secret::new(*secret)).unwrap();
        store.put(&actor(), &handle(name), &secret).await.unwrap();
    }
    (folder, SealedBackend(Arc::new(store)), ledger)
}
