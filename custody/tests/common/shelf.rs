//! A sealed store with secrets that backends live on, and the ledger beside it.

use custody::actor::Actor;
use custody::credential::Shape;
use custody::ledger::{self, SqliteLedger};
use custody::store::root_key::RootKey;
use custody::store::{Missing, SealedBackend, SealedStore};
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
    let root = RootKey::load(&path("root.key")).unwrap();
    let store = SealedStore::open(&path("store.db"), &root, Missing::Create).unwrap();
    for (name, secret) in secrets {
        let secret = Shape::Opaque.with(Secret::new(*secret)).unwrap();
        store.put(&actor(), &handle(name), &secret).unwrap();
    }
    let ledger = SqliteLedger::open(&path("ledger.db"), ledger::Missing::Create).unwrap();
    (folder, SealedBackend::new(Arc::new(store)), Arc::new(ledger))
}
