//! `custody check`

use super::failure::text_of;
use super::stdout;
use super::storage::with_store;
use crate::config::Config;
use crate::keys::SessionKeySource;
use crate::server::listeners;
use anyhow::{Result, bail};
use clap::Args;
use custody_audit::recovery::verify;
use custody_backends::sealed::root_key::RootKey;
use custody_backends::sealed::{NewKey, SealWith, SealedStore};
use custody_backends::settings::SourceOf;
use custody_base::actor::Actor;
use custody_base::files::check_writable;
use custody_ledger::Missing;
use lease::Handle;
use std::path::{Path, PathBuf};

/// Which configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigArgument {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", default_value = "custody.yaml")]
    pub(super) config: PathBuf,
}

/// Loads everything `serve` would load, and reports all faults at once.
pub fn run(path: &Path) -> Result<()> {
    let config = Config::load(path)?;
    let mut faults = Vec::new();
    if let Err(fault) = listeners::check(&config) {
        faults.push(fault.to_string());
    }
    for (name, backend) in &config.backends.0 {
        if let Err(fault) = backend.check() {
            faults.push(format!("backends.{name}.{fault}"));
        }
    }
    for issuer in &config.session.issuers {
        if let SessionKeySource::Remote(remote) = &issuer.keys
            && let Err(fault) = remote.reach.client()
        {
            faults.push(format!("session: keys of {}: {fault}", issuer.rules.issuer));
        }
    }
    check_store(&config, &mut faults);
    check_audit(&config.storage.audit, &mut faults);
    if !faults.is_empty() {
        let lines: Vec<_> =
            faults.iter().map(|fault| format!("{}: {fault}", path.display())).collect();
        bail!("{}", lines.join("\n"));
    }
    let grants = config.grants.iter().count();
    stdout::print(format_args!("{}: in order (grants: {grants})", path.display()))
}

fn check_audit(path: &Path, faults: &mut Vec<String>) {
    if let Err(fault) = check_writable(path) {
        faults.push(format!("audit.path: {fault}"));
    } else if path.exists()
        && let Err(fault) = verify(path)
    {
        faults.push(format!("audit.path: {}: {fault}", path.display()));
    }
}

fn check_store(config: &Config, faults: &mut Vec<String>) {
    let storage = &config.storage;
    if let Some(path) = storage.ledger.missing() {
        if let Err(fault) = check_writable(path) {
            faults.push(format!("store.path: {fault}"));
        }
        if let SealWith::RootKey(path) = &storage.sealing.with
            && let Err(fault) = RootKey::load(path)
        {
            faults.push(format!("store.root_key: {fault}"));
        } else {
            for (at, handle, _) in stored(config) {
                faults.push(format!(
                    "grants[{at}].handle: {handle}: the store is empty; fix: custody cred put"
                ));
            }
        }
        return;
    }
    let opening = (Missing::Refuse, NewKey::Leave);
    let checked = with_store(storage, opening, async |store| {
        check_grants(config, store, faults).await;
        Ok(())
    });
    if let Err(fault) = checked {
        faults.push(text_of(&fault));
    }
}

async fn check_grants(config: &Config, store: &SealedStore, faults: &mut Vec<String>) {
    for (at, handle, actor) in stored(config) {
        if let Err(fault) = store.resolve(actor, handle).await {
            faults.push(format!("grants[{at}].handle: {handle} of actor {actor}: {fault}"));
        }
    }
}

/// Handle and actor of each grant whose credential should be in the sealed store, with the grant's place. A
/// grant that takes its actor from a claim is not among them: only a session shows which actor that is.
fn stored(config: &Config) -> impl Iterator<Item = (usize, &Handle, &Actor)> {
    let is_sealed = |handle: &Handle| match config.credentials.0.get(handle) {
        Some(sources) => sources.primary.of == SourceOf::Sealed,
        None => true,
    };
    let grants = config.grants.iter().enumerate();
    let named = grants.filter_map(|(at, grant)| Some((at, &grant.handle, grant.actor.named()?)));
    named.filter(move |(_, handle, _)| is_sealed(handle))
}
