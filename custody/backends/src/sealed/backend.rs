//! The sealed store as a backend. It is always there, and called `sealed`.

use super::SealedStore;
use crate::settings::SEALED;
use crate::{BackendFault, CredentialBackend, CredentialRequest, LongLived, StoredSecret};
use async_trait::async_trait;
use custody_base::actor::Actor;
use custody_base::credential::SecretOrigin;
use custody_base::credential::{Credential, Resolved};
use custody_base::snapshot::Snapshot;
use lease::{Handle, Secret};
use std::sync::Arc;

pub struct SealedBackend(pub Arc<SealedStore>);

#[async_trait]
impl CredentialBackend for SealedBackend {
    fn name(&self) -> &str {
        SEALED
    }

    /// Only a read shows its content.
    fn is_capable(&self, _: &CredentialRequest<'_>) -> bool {
        true
    }

    async fn resolve(&self, asked: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        asked.restriction.refuse()?;
        let (credential, origin) = self.credential(asked).await?;
        let (actor, handle) = (asked.actor.clone(), asked.handle.clone());
        let made_from = vec![SecretOrigin { actor, handle, origin }];
        let (target, scope, expires_at, revocation) = Default::default();
        Ok(Resolved { credential, target, scope, expires_at, revocation, made_from })
    }

    /// A stored value has no life of its own that could end.
    async fn revoke(&self, _: &str) {}
}

impl SealedBackend {
    /// Of the row that was read with the session's access state, if that was only just now, and its
    /// origin. One that does not open may have been sealed again since, so custody reads it once more.
    /// One that was replaced since is found by the ledger when it records the lease.
    async fn credential(
        &self,
        asked: &CredentialRequest<'_>,
    ) -> Result<(Credential, u64), BackendFault> {
        let CredentialRequest { actor, handle, .. } = asked;
        if let Some(row) = asked.sealed.and_then(Snapshot::if_fresh) {
            let row = row.clone().ok_or(BackendFault::Absent)?;
            let origin = row.origin;
            match self.0.resolve_row(actor, handle, Some(row)).await {
                Err(BackendFault::Unreadable(_)) => {}
                resolved => return resolved.map(|credential| (credential, origin)),
            }
        }
        let row = self.0.row(actor, handle).await?.ok_or(BackendFault::Absent)?;
        let origin = row.origin;
        Ok((self.0.resolve_row(actor, handle, Some(row)).await?, origin))
    }
}

#[async_trait]
impl LongLived for SealedBackend {
    async fn read(&self, actor: &Actor, handle: &Handle) -> Result<StoredSecret, BackendFault> {
        let row = self.0.row(actor, handle).await?.ok_or(BackendFault::Absent)?;
        let (version, origin) = (row.version, row.origin);
        let secret = self.0.resolve_row(actor, handle, Some(row)).await?.secret();
        Ok(StoredSecret { secret, version, origin })
    }

    async fn origin(&self, actor: &Actor, handle: &Handle) -> Result<Option<u64>, BackendFault> {
        Ok(self.0.row(actor, handle).await?.map(|row| row.origin))
    }

    async fn replace(
        &self,
        actor: &Actor,
        handle: &Handle,
        version: u64,
        secret: &Secret,
    ) -> Result<bool, BackendFault> {
        let stored = self.0.carry_on((actor, handle), version, secret).await;
        stored.map_err(|fault| BackendFault::Down(fault.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Restriction;
    use crate::sealed::{NewKey, SealWith, Sealing, root_key::RootKey};
    use custody_ledger::{Envelopes, Missing, Row, SqliteLedger};
    use tokio::time::{Duration, Instant};

    struct Fixture {
        backend: SealedBackend,
        ledger: Arc<SqliteLedger>,
        actor: Actor,
        handle: Handle,
        _folder: tempfile::TempDir,
    }

    impl Fixture {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let key = folder.path().join("root.key");
            custody_base::files::create_private(&key, RootKey::generate().unwrap().as_bytes())
                .unwrap();
            let ledger = SqliteLedger::open(&folder.path().join("custody.db"), Missing::Create);
            let ledger = Arc::new(ledger.unwrap());
            let sealing = Sealing { with: SealWith::RootKey(key), previous_root_keys: Vec::new() };
            let store = SealedStore::open(ledger.clone(), &sealing, NewKey::Add).await.unwrap();
            let backend = SealedBackend(Arc::new(store));
            let (actor, handle) = ("a".parse().unwrap(), "h".parse().unwrap());
            Self { backend, ledger, actor, handle, _folder: folder }
        }

        async fn put(&self, secret: &str) -> Row {
            let credential = Credential::Bearer { token: Secret::new(secret) };
            self.backend.0.put(&self.actor, &self.handle, &credential).await.unwrap();
            self.ledger.get(&self.actor, &self.handle).await.unwrap().unwrap()
        }

        /// The leased value if `row` was read this long ago.
        async fn leased(&self, row: Option<Row>, age: Duration) -> Result<Vec<u8>, BackendFault> {
            let snapshot = Snapshot::new(row, Instant::now().checked_sub(age).unwrap());
            let restriction = Restriction::default();
            let asked = CredentialRequest::of(&self.actor, &self.handle, &restriction, 0);
            let asked = CredentialRequest { sealed: Some(&snapshot), ..asked };
            let resolved = self.backend.resolve(&asked).await?;
            Ok(resolved.credential.secret().expose().to_vec())
        }
    }

    const NOW: Duration = Duration::ZERO;
    const LONG_AGO: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_row_that_was_just_read_is_opened_and_an_old_one_read_again() {
        let fixture = Fixture::new().await;
        let first = fixture.put("first").await;
        fixture.put("second").await;
        assert_eq!(fixture.leased(Some(first.clone()), NOW).await, Ok(b"first".to_vec()));
        assert_eq!(fixture.leased(Some(first), LONG_AGO).await, Ok(b"second".to_vec()));
        assert_eq!(fixture.leased(None, NOW).await, Err(BackendFault::Absent));
        assert_eq!(fixture.leased(None, LONG_AGO).await, Ok(b"second".to_vec()));
    }

    #[tokio::test]
    async fn a_row_that_does_not_open_is_read_again() {
        let fixture = Fixture::new().await;
        let stored = fixture.put("value").await;
        let of_a_key_that_is_gone = Row { key: "gone".into(), ..stored.clone() };
        assert_eq!(fixture.leased(Some(of_a_key_that_is_gone), NOW).await, Ok(b"value".to_vec()));
        let mut broken = Row { version: stored.version + 1, ..stored };
        broken.envelope[0] ^= 1;
        assert!(fixture.ledger.put(&broken).await.unwrap());
        let leased = fixture.leased(Some(broken), NOW).await;
        assert!(matches!(leased, Err(BackendFault::Unreadable(_))), "{leased:?}");
    }
}
