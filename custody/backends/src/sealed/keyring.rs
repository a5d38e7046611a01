//! Which keys there are: the one that seals now, and those that sealed before.
//!
//! A key is known to the ledger by a random id, a salt, and a check value; the root keys themselves
//! are files. Which file belongs to which id is found by the check value. Files are read again when
//! the ledger names a key that is not known yet: so a custody that runs takes up the new root key
//! while `custody key rotate` re-wraps beside it.

use super::StoreFault;
use super::local::LocalSigner;
use super::root_key::{RootKey, StoreKeys};
use super::signer::Signer;
use super::transit::TransitSigner;
use crate::openbao::{Client, OpenBao};
use custody_base::clock;
use custody_ledger::{Envelopes, KeyRow};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The signers of one store.
pub struct Keyring {
    ledger: Arc<dyn Envelopes>,
    sealing: Sealing,
    transit: Option<Arc<dyn Signer>>,
    known: RwLock<Known>,
}

#[derive(Clone, Default)]
struct Known {
    /// `None`: this ledger has not seen the key yet.
    active: Option<Arc<dyn Signer>>,
    all: BTreeMap<String, Arc<dyn Signer>>,
}

/// The key that seals, and those that did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    pub with: SealWith,
    /// Root keys that may have sealed values which are not re-wrapped yet.
    pub previous_root_keys: Vec<PathBuf>,
}

/// The holder of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealWith {
    /// Custody, in a file that its owner alone may read.
    RootKey(PathBuf),
    /// OpenBao, in its Transit engine; the key never leaves it.
    Transit { backend: String, settings: Box<OpenBao>, mount: String, key: String },
}

/// The treatment of a key that this ledger has never seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewKey {
    Add,
    /// Changes nothing; what would need the key fails.
    Leave,
}

/// Two of these from one root key have unlike keys.
const SALT: usize = 32;

// === impl Keyring ===

impl Keyring {
    /// # Errors
    /// A root key cannot be read, or a key that seals something here is not among those given.
    pub async fn open(
        ledger: Arc<dyn Envelopes>,
        sealing: &Sealing,
        new: NewKey,
    ) -> Result<Self, StoreFault> {
        let transit: Option<Arc<dyn Signer>> = match &sealing.with {
            SealWith::RootKey(_) => None,
            SealWith::Transit { backend, settings, mount, key } => {
                let client = Client::new(backend, settings)
                    .map_err(|fault| StoreFault::Transit(fault.to_string()))?;
                Some(Arc::new(TransitSigner::open(client, mount, key).await?))
            }
        };
        let known = RwLock::default();
        let keyring = Self { ledger, sealing: sealing.clone(), transit, known };
        let rows = keyring.reload().await?;
        for row in &rows {
            if keyring.signer(&row.id).is_none() {
                return Err(StoreFault::WrongKey(row.id.clone()));
            }
        }
        if new == NewKey::Add && keyring.known().active.is_none() {
            keyring.add().await?;
        }
        Ok(keyring)
    }

    /// The signer that seals. Asks the ledger whether there is a newer key first: this custody may have
    /// been running since before it.
    ///
    /// # Errors
    /// The ledger does not answer, or the key has not been added to it.
    pub async fn active(&self) -> Result<Arc<dyn Signer>, StoreFault> {
        let rows = self.ledger.keys().await?;
        if rows.iter().any(|row| self.signer(&row.id).is_none()) {
            self.reload().await?;
        }
        self.known().active.ok_or(StoreFault::NoKey)
    }

    /// The signer that seals, after a look at the files. Custody records a new root key in the ledger,
    /// and so for every replica.
    ///
    /// # Errors
    /// A file cannot be read, or the ledger does not answer.
    pub async fn renewed(&self) -> Result<Arc<dyn Signer>, StoreFault> {
        let rows = self.reload().await?;
        let known = match &self.sealing.with {
            SealWith::RootKey(path) => !signers(&load("store.root_key", path)?, &rows)?.is_empty(),
            SealWith::Transit { .. } => self.transit_if(&rows).is_some(),
        };
        if !known {
            self.add().await?;
        }
        self.known().active.ok_or(StoreFault::NoKey)
    }

    /// The signer that sealed a row of this key.
    ///
    /// # Errors
    /// No root key that is given is this one.
    pub async fn of(&self, id: &str) -> Result<Arc<dyn Signer>, StoreFault> {
        if let Some(signer) = self.signer(id) {
            return Ok(signer);
        }
        self.reload().await?;
        self.signer(id).ok_or_else(|| StoreFault::WrongKey(id.to_owned()))
    }

    fn signer(&self, id: &str) -> Option<Arc<dyn Signer>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).all.get(id).cloned()
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files, and finds out which is which.
    async fn reload(&self) -> Result<Vec<KeyRow>, StoreFault> {
        let rows = self.ledger.keys().await?;
        let mut found = Known { active: self.transit_if(&rows), all: BTreeMap::new() };
        if let Some(signer) = &self.transit {
            found.all.insert(signer.key_id().to_owned(), Arc::clone(signer));
        }
        // The newest row of the active key comes last, and stays.
        if let SealWith::RootKey(path) = &self.sealing.with {
            for signer in signers(&load("store.root_key", path)?, &rows)? {
                found.active = Some(Arc::clone(&signer));
                found.all.insert(signer.key_id().to_owned(), signer);
            }
        }
        for (at, path) in self.sealing.previous_root_keys.iter().enumerate() {
            let root = load(&format!("store.previous_root_keys[{at}]"), path)?;
            for signer in signers(&root, &rows)? {
                found.all.entry(signer.key_id().to_owned()).or_insert(signer);
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // A key whose file was moved away is still the key of rows that wait to be re-wrapped.
        let before = std::mem::take(&mut *known);
        for (id, signer) in before.all {
            found.all.entry(id).or_insert(signer);
        }
        found.active = found.active.or(before.active);
        *known = found;
        Ok(rows)
    }

    fn transit_if(&self, rows: &[KeyRow]) -> Option<Arc<dyn Signer>> {
        let here = |signer: &&Arc<dyn Signer>| rows.iter().any(|row| row.id == signer.key_id());
        self.transit.as_ref().filter(here).cloned()
    }

    /// Records the active key in the ledger.
    async fn add(&self) -> Result<(), StoreFault> {
        let row = match (&self.sealing.with, &self.transit) {
            (SealWith::RootKey(path), _) => new_row(&load("store.root_key", path)?)?,
            (SealWith::Transit { .. }, Some(signer)) => KeyRow {
                id: signer.key_id().to_owned(),
                salt: Vec::new(),
                check: Vec::new(),
                created_at: clock::now(),
            },
            (SealWith::Transit { .. }, None) => return Err(StoreFault::NoKey),
        };
        // Another replica may add the same root key at this moment, under an id and a salt of its
        // own: then there are two rows, and both sides find both.
        self.ledger.add_key(&row).await?;
        self.reload().await.map(drop)
    }
}

fn load(field: &str, path: &Path) -> Result<RootKey, StoreFault> {
    RootKey::load(path).map_err(|fault| StoreFault::RootKey { field: field.to_owned(), fault })
}

/// The rows that are this root key.
fn signers(root: &RootKey, rows: &[KeyRow]) -> Result<Vec<Arc<dyn Signer>>, StoreFault> {
    let mut found: Vec<Arc<dyn Signer>> = Vec::new();
    for row in rows {
        let Some(keys) = keys_of(root, &row.salt) else { continue };
        if keys.check()?.as_slice() == row.check {
            found.push(Arc::new(LocalSigner::new(row.id.clone(), keys)));
        }
    }
    Ok(found)
}

fn keys_of(root: &RootKey, salt: &[u8]) -> Option<StoreKeys> {
    Some(root.for_store(salt.first_chunk::<SALT>()?))
}

fn new_row(root: &RootKey) -> Result<KeyRow, StoreFault> {
    let (mut id, mut salt) = ([0; 4], [0; SALT]);
    getrandom::fill(&mut id).map_err(|_| StoreFault::Randomness)?;
    getrandom::fill(&mut salt).map_err(|_| StoreFault::Randomness)?;
    let check = root.for_store(&salt).check()?.to_vec();
    let id = format!("key-{}", base16ct::lower::encode_string(&id));
    Ok(KeyRow { id, salt: salt.to_vec(), check, created_at: clock::now() })
}
