//! `custody init`: a folder with everything a single machine needs.

mod authority;
mod template;

use authority::{Certificates, Pair};
use custody_backends::sealed::root_key::RootKey;
use custody_base::files::{
    FileFault, create_private, create_private_folder, create_public, sync_folder_of,
};
use serde_json::Value;
use session::KeySet;
use std::fs;
use std::path::{Path, PathBuf};
pub use template::{Wishes, next_steps};
use zeroize::Zeroizing;

/// Nothing was set up.
#[derive(Debug, thiserror::Error)]
pub enum InitFault {
    #[error("{} is there already; custody init never overwrites: choose another folder", .0.display())]
    Exists(PathBuf),
    #[error(transparent)]
    File(#[from] FileFault),
    #[error("--jwks {}: {reason}", path.display())]
    Jwks { path: PathBuf, reason: String },
    #[error("the certificates: {0} (--name takes DNS names and IP addresses)")]
    Certificates(rcgen::Error),
    #[error("the certificates: the clock is before 1970; set it, then run custody init again")]
    Clock,
    #[error("the operating system gave no randomness")]
    Randomness(#[from] getrandom::Error),
}

/// A file to write.
struct Output {
    name: &'static str,
    contents: Zeroizing<Vec<u8>>,
    private: bool,
}

/// Names of the files, as the configuration has them.
const CONFIG: &str = "custody.yaml";
const ROOT_KEY: &str = "root.key";
const JWKS: &str = "jwks.json";
/// Made by `serve` and `cred put`; their being there means the folder is in use.
const LATER: [&str; 2] = ["custody.db", "audit.jsonl"];

/// Writes the folder (mode 0700; private files 0600) and is the path of the configuration.
///
/// Nothing is written if anything is wrong or any of the files is there already, and nothing stays if the
/// disk is full before the end.
pub fn init(wishes: &Wishes) -> Result<PathBuf, InitFault> {
    let outputs = outputs(wishes)?;
    let names = outputs.iter().map(|output| output.name).chain(LATER);
    for path in names.map(|name| wishes.folder.join(name)) {
        // A dangling link counts as there.
        if path.symlink_metadata().is_ok() {
            return Err(InitFault::Exists(path));
        }
    }
    create_private_folder(&wishes.folder)?;
    for (made, output) in outputs.iter().enumerate() {
        let path = wishes.folder.join(output.name);
        let create = if output.private { create_private } else { create_public };
        create(&path, &output.contents).inspect_err(|_| {
            for output in outputs.iter().take(made) {
                // What stays of it is named when somebody tries again.
                let _ = fs::remove_file(wishes.folder.join(output.name));
            }
        })?;
    }
    let config = wishes.folder.join(CONFIG);
    sync_folder_of(&config).map_err(|source| FileFault::Io { path: config.clone(), source })?;
    Ok(config)
}

fn outputs(wishes: &Wishes) -> Result<Vec<Output>, InitFault> {
    let certificates = Certificates::make(&wishes.names).map_err(|error| match error {
        rcgen::Error::Time => InitFault::Clock,
        error => InitFault::Certificates(error),
    })?;
    let mut root_key = RootKey::generate()?;
    let public = |name, text: String| Output {
        name,
        contents: Zeroizing::new(text.into_bytes()),
        private: false,
    };
    let private = |name, text: String| Output { private: true, ..public(name, text) };
    let mut outputs = vec![
        private(CONFIG, template::config(wishes)),
        private(ROOT_KEY, std::mem::take(&mut *root_key)),
    ];
    for (certificate_name, key_name, Pair { certificate, key }) in [
        ("ca.pem", "ca.key", certificates.ca),
        ("server.pem", "server.key", certificates.server),
        ("edge-client.pem", "edge-client.key", certificates.edge),
        ("operator-ca.pem", "operator-ca.key", certificates.operator_ca),
        ("operator.pem", "operator.key", certificates.operator),
        ("worker-ca.pem", "worker-ca.key", certificates.worker_ca),
        ("worker.pem", "worker.key", certificates.worker),
    ] {
        outputs.push(public(certificate_name, certificate));
        outputs.push(private(key_name, key));
    }
    if let Some(path) = &wishes.jwks {
        outputs.push(public(JWKS, read_jwks(path)?));
    }
    Ok(outputs)
}

/// The key set as it stands, if it is one: a private key must not be copied about.
fn read_jwks(path: &Path) -> Result<String, InitFault> {
    let fault = |reason: String| InitFault::Jwks { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
    let jwks: Value = serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?;
    match KeySet::from_jwks(&jwks) {
        Ok(_) => Ok(text),
        Err(errors) => {
            let all: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Err(fault(all.join("; ")))
        }
    }
}

#[cfg(test)]
mod tests;
