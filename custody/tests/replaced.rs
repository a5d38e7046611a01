//! In process, two replicas on both stores: a stored value that is replaced, deleted or torn down while a
//! lease of it is under way on the other replica.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use custody_backends::resolver::Resolver;
use custody_backends::sealed::SealedBackend;
use custody_backends::sealed::root_key::RootKey;
use custody_backends::sealed::{NewKey, SealWith, SealedStore, Sealing};
use custody_base::credential::Credential;
use custody_ledger::Target;
use inside::stores::{self, Database, Store, on_both_stores};
use inside::{Answer, Inside};
use lease::{Handle, Secret};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::path::Path;
use std::sync::Arc;

on_both_stores! {
    #[tokio::test]
    a_value_replaced_before_its_lease_is_recorded_is_not_leased,
    a_lease_under_way_when_its_value_is_deleted_or_torn_down_is_refused,
    a_lease_under_way_when_its_handle_is_revoked_and_restored_is_of_the_value_there_is_then,
}

/// Two custodies on one ledger, with the sealed store as their only source.
struct Replicas {
    one: Inside,
    other: SealedStore,
    _database: Option<Database>,
    _folder: tempfile::TempDir,
}

impl Replicas {
    async fn start(store: Store) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root_key = folder.path().join("root.key");
        custody_base::files::create_private(&root_key, RootKey::generate().unwrap().as_bytes())
            .unwrap();
        let database = store.database();
        let file = folder.path().join("ledger");
        let ledger = stores::ledger(database.as_ref(), &file).await;
        let sealed = Arc::new(SealedBackend(Arc::new(open(ledger.clone(), &root_key).await)));
        let key = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
        let home = tempfile::tempdir().unwrap();
        let resolver = |_: &_| Resolver::new(vec![sealed], Default::default());
        let one = Inside::from(key, home, ledger, ("", ""), resolver).await;
        let other = open(stores::ledger(database.as_ref(), &file).await, &root_key).await;
        Self { one, other, _database: database, _folder: folder }
    }

    async fn put(&self, text: &'static str) {
        let credential = Credential::Bearer { token: Secret::new(text) };
        self.other.put(&"default".parse().unwrap(), &handle(), &credential).await.unwrap();
    }

    /// Answers a request whose lease is recorded only when `change` has returned.
    async fn lease_around(&self, request: &Value, change: impl Future<Output = ()>) -> Answer {
        let (began, go) = self.one.ledger.hold("record");
        let changing = async {
            began.acquire().await.unwrap().forget();
            change.await;
            go.add_permits(1);
        };
        tokio::join!(self.one.lease(request), changing).0
    }

    /// Of either binding.
    fn requests(&self, name: &str) -> [Value; 2] {
        [self.one.request(), self.one.once(name)]
    }
}

async fn open(ledger: Arc<dyn custody_ledger::Ledger>, root_key: &Path) -> SealedStore {
    let sealing =
        Sealing { with: SealWith::RootKey(root_key.to_owned()), previous_root_keys: Vec::new() };
    SealedStore::open(ledger, &sealing, NewKey::Add).await.unwrap()
}

fn handle() -> Handle {
    "h".parse().unwrap()
}

async fn a_value_replaced_before_its_lease_is_recorded_is_not_leased(store: Store) {
    let replicas = Replicas::start(store).await;
    for request in replicas.requests("k") {
        replicas.put("the-old-value").await;
        let answer = replicas.lease_around(&request, replicas.put("the-new-value")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("Bearer the-new-value"), "{}", answer.body);
    }
}

async fn a_lease_under_way_when_its_value_is_deleted_or_torn_down_is_refused(store: Store) {
    let replicas = Replicas::start(store).await;
    let actor = "default".parse().unwrap();
    for is_teardown in [false, true] {
        for request in replicas.requests(&format!("{is_teardown}")) {
            replicas.put("the-old-value").await;
            let end = async {
                match is_teardown {
                    false => assert!(replicas.other.delete(&actor, &handle()).await.unwrap()),
                    true => assert_eq!(replicas.other.wipe(&actor).await.unwrap(), 1),
                }
            };
            let answer = replicas.lease_around(&request, end).await;
            assert_eq!(answer.refusal(), (503, "unavailable".into()));
            assert_eq!(replicas.one.last_record()["reason"], json!("credential_absent"));
        }
    }
}

async fn a_lease_under_way_when_its_handle_is_revoked_and_restored_is_of_the_value_there_is_then(
    store: Store,
) {
    let replicas = Replicas::start(store).await;
    replicas.put("the-value").await;
    for request in replicas.requests("k") {
        let and_back = async {
            replicas.one.revoke(Target::Handle(handle())).await;
            assert!(replicas.one.restore(&Target::Handle(handle())).await);
        };
        assert_eq!(replicas.lease_around(&request, and_back).await.status, 200);
        let calls = replicas.one.ledger.take_calls();
        assert_eq!(calls.iter().filter(|call| **call == "access_state").count(), 2, "{calls:?}");
        let revoke = replicas.one.revoke(Target::Handle(handle()));
        let refused = replicas.lease_around(&replicas.one.request(), revoke).await;
        assert_eq!(refused.refusal(), (403, "not_granted".into()));
        assert!(replicas.one.restore(&Target::Handle(handle())).await);
        replicas.one.ledger.take_calls();
    }
}
