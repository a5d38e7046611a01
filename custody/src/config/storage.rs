//! `store` and `audit`: what custody keeps, and where.

use super::database::{self, RawPostgres};
use super::fault::Faults;
use super::sealing::{self, RawSealing, RawSigner};
use custody_audit::Segments;
use custody_backends::sealed::Sealing;
use custody_backends::settings::Backends;
use custody_ledger::LedgerPlace;
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::path::{Path, PathBuf};

/// Where things are kept.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The ledger; made when it is not there.
    pub ledger: LedgerPlace,
    /// The keys of the credentials in it.
    pub sealing: Sealing,
    /// The audit log; made when it is not there.
    pub audit: PathBuf,
    pub segments: Segments,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    path: Option<PathBuf>,
    postgres: Option<RawPostgres>,
    root_key: Option<PathBuf>,
    #[serde(default)]
    previous_root_keys: Vec<PathBuf>,
    signer: Option<RawSigner>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    path: PathBuf,
    #[serde(default = "default_daily")]
    daily: bool,
    #[serde(default = "default_segment_mib")]
    segment_mib: u64,
}

/// The least is what may stand between two marks.
const SEGMENT_MIB: std::ops::RangeInclusive<u64> = 4..=65_536;

fn default_daily() -> bool {
    true
}

fn default_segment_mib() -> u64 {
    256
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
    for (path, file) in [("store.path", store.path.as_ref()), ("audit.path", Some(&audit.path))] {
        if file.is_some_and(|file| file.file_name().is_none()) {
            faults.add(path, "names no file");
        }
    }
    if !SEGMENT_MIB.contains(&audit.segment_mib) {
        let (least, most) = (SEGMENT_MIB.start(), SEGMENT_MIB.end());
        faults.add("audit.segment_mib", format!("must be {least} to {most}"));
    }
    let segments = Segments::new(audit.daily, audit.segment_mib);
    let RawStore { path, postgres, root_key, previous_root_keys, signer } = store;
    let ledger = match (path, postgres) {
        (Some(path), None) => Some(LedgerPlace::Sqlite(folder.join(path))),
        (None, Some(raw)) => {
            database::read(raw, folder, faults).map(|place| LedgerPlace::Postgres(Box::new(place)))
        }
        _ => {
            faults.add("store", "has either path (a SQLite file) or postgres (a database)");
            None
        }
    };
    let raw = RawSealing { root_key, previous_root_keys, signer };
    let sealing = sealing::read(raw, backends, folder, faults)?;
    Some(Storage { ledger: ledger?, sealing, audit: folder.join(audit.path), segments })
}
