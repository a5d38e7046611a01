//! `store` and `audit`: the files custody keeps.

use super::fault::Faults;
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::path::{Path, PathBuf};

/// Where things are kept.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The SQLite file of the sealed store; made when it is not there.
    pub store: PathBuf,
    /// The root key, which its owner alone may read.
    pub root_key: PathBuf,
    /// The audit log; made when it is not there.
    pub audit: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    path: PathBuf,
    root_key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    path: PathBuf,
}

pub(super) fn read(
    store: Option<Value>,
    audit: Option<Value>,
    folder: &Path,
    faults: &mut Faults,
) -> Option<Storage> {
    let store: Option<RawStore> = faults.section("store", store);
    let audit: Option<RawAudit> = faults.section("audit", audit);
    let (store, audit) = (store?, audit?);
    for (path, file) in [
        ("store.path", &store.path),
        ("store.root_key", &store.root_key),
        ("audit.path", &audit.path),
    ] {
        if file.file_name().is_none() {
            faults.add(path, "names no file");
        }
    }
    Some(Storage {
        store: folder.join(store.path),
        root_key: folder.join(store.root_key),
        audit: folder.join(audit.path),
    })
}
