use super::*;
use async_trait::async_trait;
use custody_ledger::{KeyRow, LedgerFault, Missing, SqliteLedger};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

const CANARY: &str = "canary-3f1c9a5e77d24b06";

struct Fixture {
    folder: tempfile::TempDir,
    ledger: Arc<SqliteLedger>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(&folder.path().join("custody.db"), Missing::Create);
        let fixture = Self { folder, ledger: Arc::new(ledger.unwrap()) };
        fixture.new_key("root.key");
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn new_key(&self, name: &str) {
        let key = root_key::RootKey::generate().unwrap();
        custody_base::files::create_private(&self.path(name), key.as_bytes()).unwrap();
    }

    fn sealing(&self, previous: &[&str]) -> Sealing {
        Sealing {
            with: SealWith::RootKey(self.path("root.key")),
            previous_root_keys: previous.iter().map(|name| self.path(name)).collect(),
        }
    }

    async fn try_open(&self, previous: &[&str]) -> Result<SealedStore, StoreFault> {
        SealedStore::open(self.ledger.clone(), &self.sealing(previous), NewKey::Add).await
    }

    async fn open(&self) -> SealedStore {
        self.try_open(&[]).await.unwrap()
    }

    /// As an operator does it: the old key moves to another file, a new one takes its place.
    fn swap_keys(&self) {
        fs::rename(self.path("root.key"), self.path("root.old.key")).unwrap();
        self.new_key("root.key");
    }

    fn statement(&self, statement: &str) {
        let connection = rusqlite::Connection::open(self.path("custody.db")).unwrap();
        connection.execute_batch(statement).unwrap();
    }
}

fn bearer(secret: &str) -> Credential {
    Credential::Bearer { token: Secret::new(secret) }
}

fn actor(text: &str) -> Actor {
    text.parse().unwrap()
}

fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

async fn put(store: &SealedStore, of: &str, name: &str, secret: &str) -> u64 {
    store.put(&actor(of), &handle(name), &bearer(secret)).await.unwrap()
}

async fn value(store: &SealedStore, of: &str, name: &str) -> Option<String> {
    let found = store.get(&actor(of), &handle(name)).await.unwrap()?;
    Some(String::from_utf8(found.secret().expose().to_vec()).unwrap())
}

#[tokio::test]
async fn put_get_replace_list_delete_wipe() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    assert_eq!(value(&store, "default", "a").await, None);
    assert_eq!(put(&store, "default", "a", "one").await, 1);
    assert_eq!(put(&store, "other", "a", "two").await, 2);
    assert_eq!(put(&store, "default", "a", "three").await, 3);
    drop(store);
    let store = fixture.open().await;
    assert_eq!(value(&store, "default", "a").await.unwrap(), "three");
    assert_eq!(value(&store, "other", "a").await.unwrap(), "two");
    let listed = store.list().await.unwrap();
    let short: Vec<_> =
        listed.iter().map(|l| (l.actor.as_str(), l.handle.as_str(), l.version)).collect();
    assert_eq!(short, [("default", "a", 3), ("other", "a", 2)]);
    assert!(store.delete(&actor("default"), &handle("a")).await.unwrap());
    assert!(!store.delete(&actor("default"), &handle("a")).await.unwrap());
    assert_eq!(value(&store, "default", "a").await, None);
    // A version is never used again, or an old envelope could be put back in place.
    assert_eq!(put(&store, "default", "a", "four").await, 4);
    assert_eq!(put(&store, "default", "b", "five").await, 5);
    assert_eq!(store.wipe(&actor("default")).await.unwrap(), 2);
    assert_eq!(store.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_type_survives() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for shape in [
        Shape::Bearer,
        Shape::Basic { user: "u".into() },
        Shape::ApiKey { header: "x-k".into() },
        Shape::HeaderSet { headers: vec!["x-a".into()] },
        Shape::SshCertificate { certificate: "c".into() },
        Shape::KerberosTicket { principal: "p".into() },
        Shape::Opaque,
    ] {
        let credential = shape.with(Secret::new("s")).unwrap();
        store.put(&actor("default"), &handle("a"), &credential).await.unwrap();
        let back = store.get(&actor("default"), &handle("a")).await.unwrap().unwrap();
        assert_eq!(back.shape(), shape);
    }
}

#[tokio::test]
async fn no_file_holds_the_value() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&store, "default", "a", CANARY).await;
    for entry in fs::read_dir(fixture.folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
    }
}

#[tokio::test]
async fn another_root_key_is_told_at_once() {
    let fixture = Fixture::new();
    drop(fixture.open().await);
    fixture.swap_keys();
    let fault = fixture.try_open(&[]).await.err().unwrap();
    assert!(matches!(fault, StoreFault::WrongKey(_)), "{fault}");
    assert!(fault.to_string().contains("previous_root_keys"), "{fault}");
    assert_eq!(fixture.ledger.keys().await.unwrap().len(), 1, "the wrong key was added");
    assert!(fixture.try_open(&["root.old.key"]).await.is_ok());
}

#[tokio::test]
async fn a_look_adds_no_key() {
    let fixture = Fixture::new();
    let sealing = fixture.sealing(&[]);
    let store = SealedStore::open(fixture.ledger.clone(), &sealing, NewKey::Leave).await.unwrap();
    assert_eq!(value(&store, "default", "a").await, None);
    let fault = store.put(&actor("default"), &handle("a"), &bearer("s")).await.err().unwrap();
    assert!(matches!(fault, StoreFault::NoKey), "{fault}");
    assert!(fixture.ledger.keys().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_moved_to_another_place_does_not_open() {
    for change in [
        // The envelope of one handle under another's name, whole rows and envelopes alone.
        "UPDATE credential SET envelope = (SELECT envelope FROM credential WHERE handle = 'dear'
         AND actor = 'default') WHERE handle = 'cheap'",
        "UPDATE credential SET handle = 'gone' WHERE handle = 'cheap';
         UPDATE credential SET handle = 'cheap' WHERE handle = 'dear' AND actor = 'default'",
        "DELETE FROM credential WHERE handle = 'cheap';
         UPDATE credential SET actor = 'default', handle = 'cheap' WHERE actor = 'other'",
        "UPDATE credential SET version = version + 100 WHERE handle = 'cheap'",
        r#"UPDATE credential SET shape = '{"type":"api_key","header":"x-leak"}'
         WHERE handle = 'cheap'"#,
        "INSERT INTO seal_key (id, salt, key_check, created_at)
             SELECT 'copy', salt, key_check, created_at FROM seal_key;
         UPDATE credential SET key = 'copy' WHERE handle = 'cheap'",
    ] {
        let fixture = Fixture::new();
        let store = fixture.open().await;
        put(&store, "default", "cheap", "cheap").await;
        put(&store, "default", "dear", "dear").await;
        put(&store, "other", "dear", "theirs").await;
        fixture.statement(change);
        let fault = store.resolve(&actor("default"), &handle("cheap")).await.err().unwrap();
        assert!(matches!(fault, BackendFault::Unreadable(_)), "{change}: {fault}");
    }
}

#[tokio::test]
async fn what_cannot_be_leased_cannot_be_stored() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    for bad in ["", "a\nb", "a\0b"] {
        let fault = store.put(&actor("default"), &handle("a"), &bearer(bad)).await.err().unwrap();
        assert!(matches!(fault, StoreFault::Credential(_)), "{fault}");
    }
    assert_eq!(store.list().await.unwrap(), []);
}

/// A ledger that dies at its n-th change: before it, or after it and before the answer.
struct Dying {
    inner: Arc<SqliteLedger>,
    left: AtomicI64,
    after: bool,
}

impl Dying {
    async fn change<T>(
        &self,
        change: impl Future<Output = Result<T, LedgerFault>>,
    ) -> Result<T, LedgerFault> {
        let dead = || Err(LedgerFault::Down("killed".into()));
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left < 0 || (left == 0 && !self.after) {
            return dead();
        }
        let made = change.await;
        if left == 0 { dead() } else { made }
    }
}

#[async_trait]
impl Envelopes for Dying {
    async fn next_version(&self) -> Result<u64, LedgerFault> {
        self.change(self.inner.next_version()).await
    }

    async fn put(&self, row: &Row) -> Result<bool, LedgerFault> {
        self.change(self.inner.put(row)).await
    }

    async fn get(&self, actor: &Actor, handle: &Handle) -> Result<Option<Row>, LedgerFault> {
        self.inner.get(actor, handle).await
    }

    async fn list(&self) -> Result<Vec<Row>, LedgerFault> {
        self.inner.list().await
    }

    async fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, LedgerFault> {
        self.change(self.inner.delete(actor, handle)).await
    }

    async fn wipe(&self, actor: &Actor) -> Result<u64, LedgerFault> {
        self.change(self.inner.wipe(actor)).await
    }

    async fn sealed_by_others(&self, key: &str, limit: u32) -> Result<Vec<Row>, LedgerFault> {
        self.inner.sealed_by_others(key, limit).await
    }

    async fn rewrap(&self, old: &Row, new: &Row) -> Result<bool, LedgerFault> {
        self.change(self.inner.rewrap(old, new)).await
    }

    async fn keys(&self) -> Result<Vec<KeyRow>, LedgerFault> {
        self.inner.keys().await
    }

    async fn add_key(&self, key: &KeyRow) -> Result<bool, LedgerFault> {
        self.change(self.inner.add_key(key)).await
    }

    async fn drop_key(&self, id: &str) -> Result<bool, LedgerFault> {
        self.change(self.inner.drop_key(id)).await
    }
}

async fn all_there(store: &SealedStore, values: u32) {
    for at in 0..values {
        let name = format!("h{at}");
        assert_eq!(value(store, "default", &name).await.unwrap(), format!("value {at}"));
    }
}

/// Killed at every single change that a rotation makes: every value is readable, and the next run
/// finishes.
#[tokio::test]
async fn a_rotation_that_is_cut_off_loses_nothing() {
    const VALUES: u32 = 5;
    let mut cuts = 0;
    for after in [false, true] {
        for changes in 0.. {
            let fixture = Fixture::new();
            let store = fixture.open().await;
            for at in 0..VALUES {
                put(&store, "default", &format!("h{at}"), &format!("value {at}")).await;
            }
            drop(store);
            fixture.swap_keys();
            let left = AtomicI64::new(changes);
            let dying = Arc::new(Dying { inner: fixture.ledger.clone(), left, after });
            let sealing = fixture.sealing(&["root.old.key"]);
            let outcome = match SealedStore::open(dying, &sealing, NewKey::Add).await {
                Ok(store) => store.rotate().await,
                Err(fault) => Err(fault),
            };
            let died = outcome.is_err();

            if died {
                cuts += 1;
                // The old key is still needed, and with both at hand everything is there.
                let store = fixture.try_open(&["root.old.key"]).await.unwrap();
                all_there(&store, VALUES).await;
                let rotated = store.rotate().await.unwrap();
                assert!(rotated.kept.is_empty(), "{rotated:?}");
                assert!(rotated.rewrapped <= u64::from(VALUES));
            }
            // The new key alone opens everything now.
            fs::remove_file(fixture.path("root.old.key")).unwrap();
            all_there(&fixture.open().await, VALUES).await;
            assert_eq!(fixture.ledger.keys().await.unwrap().len(), 1);
            if !died {
                break;
            }
        }
    }
    // A key added, five values, a key dropped; each before and after.
    assert_eq!(cuts, 14);
}

#[tokio::test]
async fn a_custody_that_runs_takes_the_new_key_up() {
    let fixture = Fixture::new();
    let running = fixture.open().await;
    for at in 0..3 {
        put(&running, "default", &format!("h{at}"), &format!("value {at}")).await;
    }
    fixture.swap_keys();
    // Nothing is asked of the files while the old key does.
    all_there(&running, 3).await;
    let rotating = fixture.try_open(&["root.old.key"]).await.unwrap();
    // A value that comes in between the new key and the rotation.
    put(&running, "default", "h3", "value 3").await;
    let rotated = rotating.rotate().await.unwrap();
    assert_eq!((rotated.dropped.len(), rotated.kept.len()), (1, 0), "{rotated:?}");
    all_there(&running, 4).await;
    put(&running, "default", "h4", "value 4").await;
    all_there(&running, 5).await;
    let again = rotating.rotate().await.unwrap();
    assert_eq!((again.rewrapped, again.dropped.len()), (0, 0), "the old key was used again");
}

#[tokio::test]
async fn a_put_beside_a_rotation_wins() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&store, "default", "a", "old").await;
    let row = fixture.ledger.get(&actor("default"), &handle("a")).await.unwrap().unwrap();
    put(&store, "default", "a", "new").await;
    fixture.swap_keys();
    let rotating = fixture.try_open(&["root.old.key"]).await.unwrap();
    // What the rotation read before the put came.
    let active = rotating.keyring.active().await.unwrap();
    let stale = Row { key: active.key_id().to_owned(), ..row.clone() };
    assert!(!fixture.ledger.rewrap(&row, &stale).await.unwrap());
    rotating.rotate().await.unwrap();
    assert_eq!(value(&rotating, "default", "a").await.unwrap(), "new");
}

#[tokio::test]
async fn a_value_that_does_not_open_is_named_and_keeps_its_key() {
    let fixture = Fixture::new();
    let store = fixture.open().await;
    put(&store, "default", "broken", "x").await;
    put(&store, "default", "fine", "y").await;
    fixture.statement("UPDATE credential SET envelope = x'0200' WHERE handle = 'broken'");
    fixture.swap_keys();
    let rotating = fixture.try_open(&["root.old.key"]).await.unwrap();
    let fault = rotating.rotate().await.unwrap_err().to_string();
    assert!(fault.contains("broken of actor default"), "{fault}");
    assert_eq!(value(&rotating, "default", "fine").await.unwrap(), "y");
    rotating.delete(&actor("default"), &handle("broken")).await.unwrap();
    assert!(rotating.rotate().await.unwrap().kept.is_empty());
}
