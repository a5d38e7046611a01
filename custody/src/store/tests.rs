use super::*;
use lease::Secret;
use std::os::unix::fs::MetadataExt;

const CANARY: &str = "canary-3f1c9a5e77d24b06";

struct Fixture {
    folder: tempfile::TempDir,
    root: RootKey,
}

impl Fixture {
    fn new() -> Self {
        let root = RootKey::parse(&[b'5'; 64]).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), root }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("custody.db")
    }

    fn open(&self) -> SealedStore {
        SealedStore::open(&self.path(), &self.root, Missing::Create).unwrap()
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

fn value(store: &SealedStore, actor_name: &str, handle_name: &str) -> Option<Vec<u8>> {
    let found = store.get(&actor(actor_name), &handle(handle_name)).unwrap();
    found.map(|credential| credential.secret().expose().to_vec())
}

#[test]
fn put_get_replace_list_delete() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(value(&store, "default", "a"), None);
    assert_eq!(store.put(&actor("default"), &handle("a"), &bearer("one")).unwrap(), 1);
    assert_eq!(store.put(&actor("other"), &handle("a"), &bearer("two")).unwrap(), 2);
    assert_eq!(store.put(&actor("default"), &handle("a"), &bearer("three")).unwrap(), 3);
    drop(store);
    let store = fixture.open();
    assert_eq!(value(&store, "default", "a").unwrap(), b"three");
    assert_eq!(value(&store, "other", "a").unwrap(), b"two");
    let listed: Vec<_> = store.list().unwrap();
    let short: Vec<_> =
        listed.iter().map(|l| (l.actor.as_str(), l.handle.as_str(), l.version)).collect();
    assert_eq!(short, [("default", "a", 3), ("other", "a", 2)]);
    assert!(store.delete(&actor("default"), &handle("a")).unwrap());
    assert!(!store.delete(&actor("default"), &handle("a")).unwrap());
    assert_eq!(value(&store, "default", "a"), None);
    assert_eq!(value(&store, "other", "a").unwrap(), b"two");
    // A version is never used again, or an old envelope could be put back in place.
    assert_eq!(store.put(&actor("default"), &handle("a"), &bearer("four")).unwrap(), 4);
}

#[test]
fn shapes_survive() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for shape in
        [Shape::Bearer, Shape::Basic { user: "u".into() }, Shape::ApiKey { header: "x-k".into() }]
    {
        let credential = shape.with(Secret::new("s")).unwrap();
        store.put(&actor("default"), &handle("a"), &credential).unwrap();
        assert_eq!(store.get(&actor("default"), &handle("a")).unwrap().unwrap().shape(), shape);
    }
}

#[test]
fn the_file_is_private_and_never_holds_the_value() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.put(&actor("default"), &handle("a"), &bearer(CANARY)).unwrap();
    assert_eq!(std::fs::metadata(fixture.path()).unwrap().mode() & 0o777, 0o600);
    for entry in std::fs::read_dir(fixture.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
    }
}

#[test]
fn a_deleted_envelope_is_gone_from_the_file() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.put(&actor("default"), &handle("a"), &bearer(CANARY)).unwrap();
    let envelope: Vec<u8> = store
        .connection()
        .query_row("SELECT envelope FROM credential", (), |row| row.get(0))
        .unwrap();
    let holds = || {
        let bytes = std::fs::read(fixture.path()).unwrap();
        bytes.windows(envelope.len()).any(|window| window == envelope)
    };
    assert!(holds());
    store.delete(&actor("default"), &handle("a")).unwrap();
    assert!(!holds());
}

#[test]
fn another_root_key_is_told_at_once() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let wrong = RootKey::parse(&[b'6'; 64]).unwrap();
    let fault = SealedStore::open(&fixture.path(), &wrong, Missing::Create).err().unwrap();
    assert!(matches!(fault, StoreFault::WrongKey), "{fault}");
}

#[test]
fn a_row_moved_to_another_place_does_not_open() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.put(&actor("default"), &handle("cheap"), &bearer("cheap")).unwrap();
    store.put(&actor("default"), &handle("dear"), &bearer("dear")).unwrap();
    store.put(&actor("other"), &handle("dear"), &bearer("theirs")).unwrap();
    for change in [
        // The envelope of one handle under another's name, whole rows and envelopes alone.
        "UPDATE credential SET envelope = (SELECT envelope FROM credential WHERE handle = 'dear'
         AND actor = 'default') WHERE handle = 'cheap'",
        "UPDATE credential SET handle = 'gone' WHERE handle = 'cheap';
         UPDATE credential SET handle = 'cheap' WHERE handle = 'dear' AND actor = 'default'",
        "DELETE FROM credential WHERE handle = 'cheap';
         UPDATE credential SET actor = 'default', handle = 'cheap' WHERE actor = 'other'",
        "UPDATE credential SET version = version + 100 WHERE handle = 'cheap'",
        r#"UPDATE credential SET shape = '{"type":"header","name":"x-leak"}'
         WHERE handle = 'cheap'"#,
    ] {
        let connection = store.connection();
        connection.execute_batch("SAVEPOINT change").unwrap();
        connection.execute_batch(change).unwrap();
        drop(connection);
        let fault = store.resolve(&actor("default"), &handle("cheap")).err().unwrap();
        assert!(matches!(fault, BackendFault::Unreadable(_)), "{change}: {fault}");
        store.connection().execute_batch("ROLLBACK TO change; RELEASE change").unwrap();
    }
    assert_eq!(value(&store, "default", "cheap").unwrap(), b"cheap");
}

#[test]
fn a_foreign_file_is_left_alone() {
    let fixture = Fixture::new();
    let foreign = Connection::open(fixture.path()).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (x)").unwrap();
    let fault = SealedStore::open(&fixture.path(), &fixture.root, Missing::Create).err().unwrap();
    assert!(matches!(fault, StoreFault::Foreign), "{fault}");
    for text in ["x", "SQLite format 2\0", "a note of somebody else's"] {
        std::fs::write(fixture.path(), text).unwrap();
        let fault = SealedStore::open(&fixture.path(), &fixture.root, Missing::Create).err();
        assert!(matches!(fault, Some(StoreFault::Foreign)));
        assert_eq!(std::fs::read(fixture.path()).unwrap(), text.as_bytes());
    }
}

#[test]
fn a_missing_store_is_created_only_when_asked() {
    let fixture = Fixture::new();
    assert!(SealedStore::open(&fixture.path(), &fixture.root, Missing::Refuse).is_err());
    assert!(!fixture.path().exists());
}

#[test]
fn what_cannot_be_leased_cannot_be_stored() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for bad in ["", "a\nb", "a\0b"] {
        let fault = store.put(&actor("default"), &handle("a"), &bearer(bad)).err().unwrap();
        assert!(matches!(fault, StoreFault::Credential(_)), "{fault}");
    }
    assert_eq!(store.list().unwrap(), []);
}
