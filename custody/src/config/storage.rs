//! `store` and `audit`: the files custody keeps.

use super::backends::Backends;
use super::fault::Faults;
use super::sealing::{self, RawSealing, RawSigner, Sealing};
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::path::{Path, PathBuf};

/// Where things are kept.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The SQLite file of the ledger; made when it is not there.
    pub store: PathBuf,
    /// The keys of the credentials in it.
    pub sealing: Sealing,
    /// The audit log; made when it is not there.
    pub audit: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    path: PathBuf,
    root_key: Option<PathBuf>,
    #[serde(default)]
    previous_root_keys: Vec<PathBuf>,
    signer: Option<RawSigner>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    path: PathBuf,
}

pub(super) fn read(
    store: Option<Value>,
    audit: Option<Value>,
    backends: &Backends,
    folder: &Path,
    faults: &mut Faults,
) -> Option<Storage> {
    let store: Option<RawStore> = faults.section("store", store);
    let audit: Option<RawAudit> = faults.section("audit", audit);
    let (store, audit) = (store?, audit?);
    for (path, file) in [("store.path", &store.path), ("audit.path", &audit.path)] {
        if file.file_name().is_none() {
            faults.add(path, "names no file");
        }
    }
    let RawStore { path, root_key, previous_root_keys, signer } = store;
    let raw = RawSealing { root_key, previous_root_keys, signer };
    let sealing = sealing::read(raw, backends, folder, faults)?;
    Some(Storage { store: folder.join(path), sealing, audit: folder.join(audit.path) })
}
