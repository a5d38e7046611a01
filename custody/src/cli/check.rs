//! `custody check`

use crate::audit::recovery::verify;
use crate::config::{Config, SessionKeySource};
use crate::server::doors;
use crate::store::root_key::RootKey;
use crate::store::{Missing, SealedStore};
use anyhow::{Result, bail};
use std::path::Path;

/// Loads everything `serve` would load, and says all that is wrong at once.
pub fn run(path: &Path) -> Result<()> {
    let config = Config::load(path)?;
    let mut faults = Vec::new();
    if let Err(fault) = doors::check(&config) {
        faults.push(fault.to_string());
    }
    if let SessionKeySource::Remote(remote) = &config.session.keys
        && let Err(fault) = remote.reach.client()
    {
        faults.push(format!("session.keys.{fault}"));
    }
    if let Some(store) = check_store(&config, &mut faults) {
        check_grants(&config, store.as_ref(), &mut faults);
    }
    if config.storage.audit.exists()
        && let Err(fault) = verify(&config.storage.audit)
    {
        faults.push(format!("audit.path: {}: {fault}", config.storage.audit.display()));
    }
    if !faults.is_empty() {
        let lines: Vec<_> =
            faults.iter().map(|fault| format!("{}: {fault}", path.display())).collect();
        bail!("{}", lines.join("\n"));
    }
    let grants = config.grants.iter().count();
    println!("{}: in order (grants: {grants})", path.display());
    Ok(())
}

/// The store, `Some(None)` if there is none yet.
fn check_store(config: &Config, faults: &mut Vec<String>) -> Option<Option<SealedStore>> {
    let root = RootKey::load(&config.storage.root_key)
        .map_err(|fault| faults.push(format!("store.root_key: {fault}")))
        .ok()?;
    if !config.storage.store.exists() {
        return Some(None);
    }
    SealedStore::open(&config.storage.store, &root, Missing::Refuse)
        .map_err(|fault| {
            faults.push(format!("store.path: {}: {fault}", config.storage.store.display()));
        })
        .ok()
        .map(Some)
}

fn check_grants(config: &Config, store: Option<&SealedStore>, faults: &mut Vec<String>) {
    for (at, grant) in config.grants.iter().enumerate() {
        let (handle, actor) = (&grant.handle, &grant.actor);
        let fault = match store.map(|store| store.resolve(actor, handle)) {
            Some(Ok(_)) => continue,
            Some(Err(fault)) => fault.to_string(),
            None => "the store is empty; fix: custody cred put".into(),
        };
        faults.push(format!("grants[{at}].handle: {handle} of actor {actor}: {fault}"));
    }
}
