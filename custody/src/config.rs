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
use crate::keys::SessionRules;
use crate::limits::Limits;
use crate::notify::WebhookPlace;
use custody_backends::settings::{Backends, Credentials};
use fault::Faults;
pub use fault::{ConfigFaults, Fault};
pub use listeners::{AdminListener, EdgeListener, HealthListener, Protection};
use serde_yaml_ng::{Mapping, Value};
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
        load(path, Self::read)
    }

    /// The `store` and `audit` sections alone (and `backends`, which may hold the key): what keeping
    /// credentials needs. The rest of the file may still be unfinished.
    ///
    /// # Errors
    /// What is wrong with the sections, or with the file as a whole; so for the next two.
    pub fn load_storage(path: &Path) -> Result<Storage, ConfigFaults> {
        load(path, |sections, folder, faults| {
            let (store, audit) = (sections.remove("store"), sections.remove("audit"));
            let backends = backends::read(sections.remove("backends"), folder, faults);
            storage::read(store, audit, &backends.unwrap_or_default(), folder, faults)
        })
    }

    /// The `admin` section alone: where a running custody can be asked.
    pub fn load_admin(path: &Path) -> Result<AdminListener, ConfigFaults> {
        load(path, |sections, folder, faults| {
            let admin = listeners::read_admin(sections.remove("admin"), folder, faults)?;
            if admin.is_none() {
                faults.add("admin", "is missing: this custody has no admin API");
            }
            admin
        })
    }

    /// The `grants` section alone, for a custody that is running, with so many issuers.
    pub fn load_grants(path: &Path, issuers: usize) -> Result<Grants, ConfigFaults> {
        load(path, |sections, _, faults| {
            let issuers = session::count_issuers(sections.get("session")).max(issuers);
            grants::read(sections.remove("grants"), issuers, faults)
        })
    }

    /// As [`Config::load`], from a text that stands in `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Vec<Fault>> {
        parse(text, folder, Self::read)
    }

    fn read(sections: &mut Mapping, folder: &Path, faults: &mut Faults) -> Option<Self> {
        let edge = listeners::read_edge(sections.remove("edge"), folder, faults);
        let admin = listeners::read_admin(sections.remove("admin"), folder, faults);
        let health = listeners::read_health(sections.remove("health"), faults);
        let session = session::read(sections.remove("session"), folder, faults);
        let issuers = session.iter().flat_map(|session| &session.issuers);
        let audiences: Vec<_> =
            issuers.flat_map(|issuer| &issuer.rules.audiences).map(String::as_str).collect();
        let workers = workers::read(sections.remove("workers"), &audiences, folder, faults);
        let backends = backends::read(sections.remove("backends"), folder, faults);
        // Sources are read against what backends there are, so that a wrong name shows at once.
        let known = backends.clone().unwrap_or_default();
        let (store, audit) = (sections.remove("store"), sections.remove("audit"));
        let storage = storage::read(store, audit, &known, folder, faults);
        let credentials = credentials::read(sections.remove("credentials"), &known, faults);
        let issuers = session.as_ref().map_or(1, |session| session.issuers.len());
        let grants = grants::read(sections.remove("grants"), issuers, faults);
        let limits = limits::read(sections.remove("limits"), faults);
        let webhook = notify::read(sections.remove("notify"), folder, faults);
        let listeners = [
            ("edge", edge.as_ref().map(|edge| edge.listen)),
            ("health", health.as_ref().map(|health| health.listen)),
            ("admin", admin.as_ref().and_then(|admin| Some(admin.as_ref()?.listen))),
            ("workers", workers.as_ref().and_then(|workers| Some(workers.as_ref()?.listen))),
        ];
        listeners::apart(&listeners, faults);
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
    }
}

/// What `read` makes of the sections of this file, if nothing is wrong with them.
fn load<T>(
    path: &Path,
    read: impl FnOnce(&mut Mapping, &Path, &mut Faults) -> Option<T>,
) -> Result<T, ConfigFaults> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let text = std::fs::read_to_string(path).map_err(|error| vec![Fault::new("", error)]);
    text.and_then(|text| parse(&text, folder, read))
        .map_err(|faults| ConfigFaults { file: path.to_owned(), faults })
}

fn parse<T>(
    text: &str,
    folder: &Path,
    read: impl FnOnce(&mut Mapping, &Path, &mut Faults) -> Option<T>,
) -> Result<T, Vec<Fault>> {
    let mut faults = Faults::default();
    let sections = sections_of(text, &mut faults);
    let whole = sections.and_then(|mut sections| read(&mut sections, folder, &mut faults));
    match whole {
        Some(whole) if faults.0.is_empty() => Ok(whole),
        _ => Err(faults.0),
    }
}

/// `None` where there are no sections to look into.
fn sections_of(text: &str, faults: &mut Faults) -> Option<Mapping> {
    match serde_yaml_ng::from_str(text) {
        Ok(Value::Mapping(sections)) => {
            for name in sections.keys() {
                let name = name.as_str().unwrap_or("(not a text)");
                if !SECTIONS.contains(&name) {
                    let known = SECTIONS.join(", ");
                    faults.add(name, format!("unknown section; there are {known}"));
                }
            }
            return Some(sections);
        }
        Ok(Value::Null) => faults.add("", "is empty; `custody init DIR` writes a whole one"),
        Ok(_) => faults.add("", "a configuration is a mapping: edge, admin, session, ..."),
        Err(error) => faults.add("", format!("not YAML: {error}")),
    }
    None
}

#[cfg(test)]
mod tests;
