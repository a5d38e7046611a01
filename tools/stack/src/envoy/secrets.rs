//! The shipped `envoy/sds/*.yaml`, with the files of a [`MutualTls`] put in: Envoy watches them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::place::at;
use super::{EnvoyError, MutualTls};

/// The name of a secret, and its shipped file.
const EDGE_CLIENT: (&str, &str) =
    ("edge-client", include_str!("../../../../envoy/sds/edge-client.yaml"));
const CUSTODY_CA: (&str, &str) =
    ("custody-ca", include_str!("../../../../envoy/sds/custody-ca.yaml"));

/// Where the files of secrets are.
pub(super) struct Secrets {
    pub(super) edge_client: PathBuf,
    pub(super) custody_ca: PathBuf,
}

// === impl Secrets ===

impl Secrets {
    /// Writes them into the folder that `tls` names.
    pub(super) fn write(tls: &MutualTls) -> Result<Self, EnvoyError> {
        fs::create_dir_all(&tls.secrets)
            .map_err(EnvoyError::io(tls.secrets.display().to_string()))?;
        let certificate = "tls_certificate";
        let edge_client = [
            (format!("{certificate}.watched_directory.path"), folder_of(&tls.certificate)),
            (format!("{certificate}.certificate_chain.filename"), &*tls.certificate),
            (format!("{certificate}.private_key.filename"), &*tls.key),
        ];
        let validation = "validation_context";
        let custody_ca = [
            (format!("{validation}.watched_directory.path"), folder_of(&tls.server_ca)),
            (format!("{validation}.trusted_ca.filename"), &*tls.server_ca),
        ];
        Ok(Self {
            edge_client: written(EDGE_CLIENT, &tls.secrets, &edge_client)?,
            custody_ca: written(CUSTODY_CA, &tls.secrets, &custody_ca)?,
        })
    }
}

fn written(
    (name, text): (&str, &str),
    folder: &Path,
    places: &[(String, &Path)],
) -> Result<PathBuf, EnvoyError> {
    let missing = |place: String| EnvoyError::Template { file: "sds", place };
    let mut root: Value = serde_yaml_ng::from_str(text)
        .map_err(|error| missing(format!("YAML in {name}.yaml: {error}")))?;
    for (place, path) in places {
        let found = at(&mut root, &format!("resources[{name}].{place}"));
        *found.ok_or_else(|| missing(format!("{place} in {name}.yaml")))? = json!(path);
    }
    let file = folder.join(format!("{name}.yaml"));
    fs::write(&file, root.to_string()).map_err(EnvoyError::io(file.display().to_string()))?;
    Ok(file)
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}
