//! Under which keys the sealed store seals: fields of `store`.

use super::fault::Faults;
use custody_backends::sealed::{SealWith, Sealing};
use custody_backends::settings::{Backend, Backends};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The fields of `store` that are about keys.
#[derive(Default)]
pub(super) struct RawSealing {
    pub root_key: Option<PathBuf>,
    pub previous_root_keys: Vec<PathBuf>,
    pub signer: Option<RawSigner>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSigner {
    transit: RawTransit,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTransit {
    backend: String,
    #[serde(default = "transit")]
    mount: String,
    key: String,
}

fn transit() -> String {
    "transit".into()
}

pub(super) fn read(
    raw: RawSealing,
    backends: &Backends,
    folder: &Path,
    faults: &mut Faults,
) -> Option<Sealing> {
    let RawSealing { root_key, previous_root_keys, signer } = raw;
    let mut file = |path: &str, file: PathBuf| {
        if file.file_name().is_none() {
            faults.add(path, "names no file");
        }
        folder.join(file)
    };
    let previous = previous_root_keys.into_iter().enumerate();
    let previous_root_keys =
        previous.map(|(at, key)| file(&format!("store.previous_root_keys[{at}]"), key)).collect();
    let with = match (root_key, signer) {
        (Some(key), None) => SealWith::RootKey(file("store.root_key", key)),
        (None, Some(RawSigner { transit: RawTransit { backend, mount, key } })) => {
            let Some(Backend::OpenBao(settings)) = backends.0.get(&backend) else {
                let message = format!("no backend of type openbao is called {backend}");
                faults.add("store.signer.transit.backend", message);
                return None;
            };
            SealWith::Transit { settings: Box::new(settings.clone()), backend, mount, key }
        }
        _ => {
            faults.add("store", "has either root_key or signer");
            return None;
        }
    };
    Some(Sealing { with, previous_root_keys })
}
