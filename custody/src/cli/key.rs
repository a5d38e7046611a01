//! `custody key`

use super::storage::with_store;
use super::{ConfigArgument, Usage};
use crate::config::Config;
use crate::files::{create_private, sync_folder_of};
use crate::ledger::Missing;
use crate::sealed::root_key::RootKey;
use crate::sealed::{NewKey, Rotated};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a new root key into a file of mode 0600. Overwrites nothing.
    New {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Seal everything anew under the key of the configuration.
    #[command(after_help = "To replace the root key, while custody serves or not:\n  \
        mv root.key root.old.key\n  \
        custody key new root.key\n  \
        (in custody.yaml, below store: previous_root_keys: [root.old.key])\n  \
        custody key rotate\n\
        and, when that has named the old key as dropped, take root.old.key out of custody.yaml and \
        destroy it. A custody that serves takes the new key up by itself if root_key is still the \
        same file name. What was cut off is finished by running it again.")]
    Rotate {
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgument,
    },
}

pub fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::New { file } => new(&file),
        Command::Rotate { json, config } => rotate(&config.config, json),
    }
}

fn new(file: &Path) -> Result<()> {
    if file.file_name().is_none() {
        return Err(Usage(format!("{}: names no file", file.display())).into());
    }
    let text = RootKey::generate().context("the operating system gave no randomness")?;
    create_private(file, text.as_bytes())?;
    sync_folder_of(file).with_context(|| file.display().to_string())?;
    println!("{}: a new root key; back it up apart from the store", file.display());
    Ok(())
}

fn rotate(config: &Path, json: bool) -> Result<()> {
    let storage = Config::load_storage(config)?;
    let opening = (Missing::Refuse, NewKey::Add);
    let rotated = with_store(&storage, opening, async |store| Ok(store.rotate().await?))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&rotated)?);
    } else {
        say(&rotated);
    }
    if !rotated.kept.is_empty() {
        bail!("{} still seal something; run it again", rotated.kept.join(", "));
    }
    Ok(())
}

fn say(rotated: &Rotated) {
    let Rotated { key, rewrapped, dropped, kept: _ } = rotated;
    println!("{key} seals everything; sealed anew: {rewrapped}");
    if !dropped.is_empty() {
        println!(
            "dropped: {}; store.previous_root_keys may go from the configuration, and the old \
             files with it",
            dropped.join(", ")
        );
    }
}
