//! The configuration file: read, checked, and told apart from what is wrong with it.
//!
//! Every section is read on its own and every fault is collected, so that one run shows all of
//! them. Unknown fields are faults: a misspelt `claims` must not quietly mean "none".

mod backends;
mod credentials;
mod database;
mod fault;
mod grants;
mod limits;
mod listeners;
mod notify;
mod sealing;
mod session;
mod session_keys;
mod storage;
mod workers;

use crate::grants::Grants;
use crate::limits::Limits;
pub use backends::{
    AppOnGitHub, Backend, Backends, Fields, OAuth2, OAuth2Place, OpenBao, OpenBaoAuth,
    OpenBaoSource, SEALED, SecretPath, SourceOf,
};
pub use credentials::{Credentials, SourceAt, SourcePair};
use fault::Faults;
pub use fault::{ConfigFaults, Fault};
pub use listeners::{AdminListener, EdgeListener, HealthListener, Protection, TlsFiles};
pub use notify::WebhookPlace;
pub use sealing::{SealWith, Sealing};
use serde_yaml_ng::{Mapping, Value};
pub use session::SessionRules;
pub use session_keys::{RemoteKeys, SessionKeySource};
use std::path::Path;
pub use storage::Storage;
pub use workers::WorkersListener;

/// A configuration without faults. Paths are as the running program needs them.
#[derive(Debug)]
pub struct Config {
    pub edge: EdgeListener,
    /// Without it there is no admin API.
    pub admin: Option<AdminListener>,
    /// Without it there is no credential API.
    pub workers: Option<WorkersListener>,
    pub health: HealthListener,
    pub session: SessionRules,
    pub storage: Storage,
    pub backends: Backends,
    pub credentials: Credentials,
    pub grants: Grants,
    pub limits: Limits,
    /// Who is told when a backend fails; without it the audit log alone.
    pub webhook: Option<WebhookPlace>,
}

const SECTIONS: [&str; 12] = [
    "edge",
    "admin",
    "workers",
    "health",
    "session",
    "store",
    "audit",
    "backends",
    "credentials",
    "grants",
    "limits",
    "notify",
];

// === impl Config ===

impl Config {
    /// Reads the file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// Everything that is wrong, each with the path of its field.
    pub fn load(path: &Path) -> Result<Self, ConfigFaults> {
        let of_file = |faults| ConfigFaults { file: path.to_owned(), faults };
        let text =
            std::fs::read_to_string(path).map_err(|error| of_file(vec![Fault::new("", error)]))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(of_file)
    }

    /// The `store` and `audit` sections alone (and `backends`, which may hold the key): what keeping
    /// credentials needs. The rest of the file may still be unfinished.
    pub fn load_storage(path: &Path) -> Result<Storage, ConfigFaults> {
        let of_file = |faults| ConfigFaults { file: path.to_owned(), faults };
        let text =
            std::fs::read_to_string(path).map_err(|error| of_file(vec![Fault::new("", error)]))?;
        let mut faults = Faults::default();
        let mut sections = read_sections(&text, &mut faults);
        let (store, audit) = (sections.remove("store"), sections.remove("audit"));
        let folder = path.parent().unwrap_or(Path::new(""));
        let backends = backends::read(sections.remove("backends"), folder, &mut faults);
        let backends = backends.unwrap_or_default();
        let storage = storage::read(store, audit, &backends, folder, &mut faults);
        match (storage, faults.0.is_empty()) {
            (Some(storage), true) => Ok(storage),
            _ => Err(of_file(faults.0)),
        }
    }

    /// The `admin` section alone: where a running custody can be asked.
    ///
    /// # Errors
    /// What is wrong with the section, or with the file as a whole.
    pub fn load_admin(path: &Path) -> Result<AdminListener, ConfigFaults> {
        let of_file = |faults| ConfigFaults { file: path.to_owned(), faults };
        let text =
            std::fs::read_to_string(path).map_err(|error| of_file(vec![Fault::new("", error)]))?;
        let mut faults = Faults::default();
        let admin = read_sections(&text, &mut faults).remove("admin");
        let folder = path.parent().unwrap_or(Path::new(""));
        match listeners::read_admin(admin, folder, &mut faults) {
            Some(Some(admin)) if faults.0.is_empty() => Ok(admin),
            Some(None) if faults.0.is_empty() => {
                Err(of_file(vec![Fault::new("admin", "is missing: this custody has no admin API")]))
            }
            _ => Err(of_file(faults.0)),
        }
    }

    /// The `grants` section alone, for a custody that is running.
    ///
    /// # Errors
    /// What is wrong with the section, or with the file as a whole.
    pub fn load_grants(path: &Path) -> Result<Grants, ConfigFaults> {
        let of_file = |faults| ConfigFaults { file: path.to_owned(), faults };
        let text =
            std::fs::read_to_string(path).map_err(|error| of_file(vec![Fault::new("", error)]))?;
        let mut faults = Faults::default();
        let grants = read_sections(&text, &mut faults).remove("grants");
        match (grants::read(grants, &mut faults), faults.0.is_empty()) {
            (Some(grants), true) => Ok(grants),
            _ => Err(of_file(faults.0)),
        }
    }

    /// As [`Config::load`], from a text that stands in `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let mut sections = read_sections(text, &mut faults);
        let edge = listeners::read_edge(sections.remove("edge"), folder, &mut faults);
        let admin = listeners::read_admin(sections.remove("admin"), folder, &mut faults);
        let health = listeners::read_health(sections.remove("health"), &mut faults);
        let session = session::read(sections.remove("session"), folder, &mut faults);
        let audience = session.as_ref().map(|session| session.rules.audience.as_str());
        let workers = workers::read(sections.remove("workers"), audience, folder, &mut faults);
        let backends = backends::read(sections.remove("backends"), folder, &mut faults);
        // Sources are read against what backends there are, so that a wrong name shows at once.
        let known = backends.clone().unwrap_or_default();
        let (store, audit) = (sections.remove("store"), sections.remove("audit"));
        let storage = storage::read(store, audit, &known, folder, &mut faults);
        let credentials = sections.remove("credentials");
        let credentials = credentials::read(credentials, &known, &mut faults);
        let grants = grants::read(sections.remove("grants"), &mut faults);
        let limits = limits::read(sections.remove("limits"), &mut faults);
        let webhook = notify::read(sections.remove("notify"), folder, &mut faults);
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        let whole = || {
            Some(Self {
                edge: edge?,
                admin: admin?,
                workers: workers?,
                health: health?,
                session: session?,
                storage: storage?,
                backends: backends?,
                credentials: credentials?,
                grants: grants?,
                limits: limits?,
                webhook: webhook?,
            })
        };
        whole().ok_or(faults.0)
    }
}

fn read_sections(text: &str, faults: &mut Faults) -> Mapping {
    match serde_yaml_ng::from_str(text) {
        Ok(Value::Mapping(sections)) => {
            for name in sections.keys() {
                let name = name.as_str().unwrap_or("(not a text)");
                if !SECTIONS.contains(&name) {
                    let known = SECTIONS.join(", ");
                    faults.add(name, format!("unknown section; there are {known}"));
                }
            }
            sections
        }
        Ok(_) => {
            faults.add("", "a configuration is a mapping: edge, admin, session, ...");
            Mapping::new()
        }
        Err(error) => {
            faults.add("", format!("not YAML: {error}"));
            Mapping::new()
        }
    }
}

#[cfg(test)]
mod tests;
