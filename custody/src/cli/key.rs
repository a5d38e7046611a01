//! `custody key`

use super::failure::Usage;
use super::remote::RemoteArguments;
use super::stdout;
use super::storage::with_store;
use crate::config::Config;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use custody_backends::sealed::root_key::RootKey;
use custody_backends::sealed::{NewKey, Rotated};
use custody_base::files::{create_private, sync_folder_of};
use custody_base::outbound::Method;
use custody_ledger::Missing;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a new root key into a file of mode 0600. Overwrites nothing.
    New {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Seal everything again under the key of the configuration.
    #[command(after_help = "To replace the root key, while custody serves or not:\n  \
        mv root.key root.old.key\n  \
        custody key new root.key\n  \
        (in custody.yaml, below store: previous_root_keys: [root.old.key])\n  \
        custody key rotate\n\
        and, when that has named the old key as dropped, take root.old.key out of custody.yaml and \
        destroy it. A custody that serves takes the new key up by itself if root_key is still the \
        same file name; of several, each needs the new file first. What was cut off is finished by \
        running it again.\n\n\
        Where the store cannot be opened from here, the last step is\n  \
        custody key rotate --running --admin https://custody.internal:8445")]
    Rotate {
        /// Let a custody that serves do it, over its admin listener.
        #[arg(long)]
        running: bool,
        #[command(flatten)]
        remote: RemoteArguments,
    },
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::New { file } => new(&file),
        Command::Rotate { running, remote } => rotate(running, &remote),
    }
}

fn new(file: &Path) -> Result<()> {
    if file.file_name().is_none() {
        return Err(Usage(format!("{}: names no file", file.display())).into());
    }
    let text = RootKey::generate().context("the operating system gave no randomness")?;
    create_private(file, text.as_bytes())?;
    sync_folder_of(file).with_context(|| file.display().to_string())?;
    stdout::print(format_args!(
        "{}: a new root key; back it up apart from the store",
        file.display()
    ))
}

fn rotate(running: bool, remote: &RemoteArguments) -> Result<()> {
    let rotated: Rotated = if running {
        remote.remote()?.send(Method::POST, &["v1", "root-key", "rotate"], None)?
    } else {
        remote.refuse_admin("goes with --running; without it the store is opened here")?;
        let storage = Config::load_storage(remote.config())?;
        let opening = (Missing::Refuse, NewKey::Add);
        with_store(&storage, opening, async |store| Ok(store.rotate().await?))?
    };
    stdout::answer(remote.json(), &rotated, || said(&rotated))?;
    if !rotated.kept.is_empty() {
        bail!("{} still seal something; run it again", rotated.kept.join(", "));
    }
    Ok(())
}

fn said(rotated: &Rotated) -> String {
    let Rotated { key, rewrapped, dropped, kept: _ } = rotated;
    let mut said = format!("{key} seals everything; sealed anew: {rewrapped}\n");
    if !dropped.is_empty() {
        said.push_str(&format!(
            "dropped: {}; store.previous_root_keys may go from the configuration, and the old \
             files with it\n",
            dropped.join(", ")
        ));
    }
    said
}
