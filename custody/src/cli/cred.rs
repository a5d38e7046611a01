//! `custody cred`

use super::check::ConfigArgument;
use super::failure::Usage;
use super::secret::{LineEnd, Source};
use super::stdout;
use super::storage::with_store;
use super::table::{table, time};
use crate::config::Config;
use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use custody_backends::sealed::{Listed, NewKey, SealedStore};
use custody_base::actor::Actor;
use custody_base::credential::{CredentialFault, Shape};
use custody_ledger::Missing;
use lease::{Handle, HeaderFault, HeaderName};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Store or replace a credential. The secret is read from standard input, or from a file.
    #[command(after_help = "Examples:\n  \
        custody cred put github-ci < token.txt\n  \
        pass show registry | custody cred put registry --type basic --user ci\n  \
        pass show openai   | custody cred put llm --type header --header x-api-key\n  \
        custody cred put gh-app-key --type opaque --from app.private-key.pem")]
    Put(Put),
    /// Show what is stored; never the secrets.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgument,
    },
    /// Delete a credential.
    Delete {
        handle: Handle,
        /// Whose credential it is.
        #[arg(long, default_value = Actor::DEFAULT)]
        actor: Actor,
        #[command(flatten)]
        config: ConfigArgument,
    },
}

#[derive(Debug, Args)]
pub struct Put {
    /// The name in grants and destinations.
    handle: Handle,
    /// How the secret is shown to its upstream.
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t = Type::Bearer)]
    shape: Type,
    /// The user name of --type basic.
    #[arg(long, required_if_eq("shape", "basic"))]
    user: Option<String>,
    /// The header of --type header.
    #[arg(long, value_name = "NAME", required_if_eq("shape", "header"))]
    header: Option<String>,
    /// Read the secret from here rather than from standard input.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Whose credential it is.
    #[arg(long, default_value = Actor::DEFAULT)]
    actor: Actor,
    #[command(flatten)]
    config: ConfigArgument,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Type {
    /// authorization: Bearer SECRET
    Bearer,
    /// authorization: Basic base64(USER:SECRET)
    Basic,
    /// NAME: SECRET
    Header,
    /// Any bytes, as they are: a private key (PEM) that a backend signs with, a client's secret. No
    /// edge is given it
    Opaque,
}

pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Put(put) => run_put(put),
        Command::List { json, config } => list(&config.config, json),
        Command::Delete { handle, actor, config } => delete(&config.config, &actor, &handle),
    }
}

fn run_put(put: Put) -> Result<()> {
    let Put { handle, shape, user, header, from, actor, config } = put;
    let shape = shape_of(shape, user, header)?;
    // Before the secret is read: what is wrong with the store shows first.
    open(&config.config, async |_| Ok(()))?;
    let source = Source::of(from.as_deref());
    let line_end = if shape == Shape::Opaque { LineEnd::Kept } else { LineEnd::Dropped };
    let credential = shape.with(source.read(line_end)?)?;
    if credential.kind().is_headers() {
        credential.headers().map_err(|fault| unsendable(&source, fault))?;
    }
    let put = async |store: &SealedStore| Ok(store.put(&actor, &handle, &credential).await?);
    let version = open(&config.config, put)?;
    stdout::print(format_args!("stored {handle} ({shape}) for actor {actor}, version {version}"))
}

fn unsendable(source: &Source<'_>, fault: CredentialFault) -> anyhow::Error {
    match fault {
        CredentialFault::Header(HeaderFault::Value) => anyhow::anyhow!(
            "{source}: the secret is over 16 KiB or has a line break or other control character \
             inside; it could not be sent in a header (a private key is --type opaque)"
        ),
        other => other.into(),
    }
}

fn shape_of(shape: Type, user: Option<String>, header: Option<String>) -> Result<Shape> {
    let stray = |flag: &str, of: &str| Usage(format!("{flag} goes with --type {of} only"));
    match (shape, user, header) {
        (Type::Bearer, None, None) => Ok(Shape::Bearer),
        (Type::Opaque, None, None) => Ok(Shape::Opaque),
        (Type::Basic, Some(user), None) => Ok(Shape::Basic { user }),
        (Type::Header, None, Some(name)) => {
            let name = HeaderName::parse(&name).map_err(|f| Usage(format!("--header: {f}")))?;
            Ok(Shape::ApiKey { header: name.as_str().to_owned() })
        }
        (Type::Basic, None, _) => Err(stray("--user is missing; it", "basic").into()),
        (Type::Header, _, None) => Err(stray("--header is missing; it", "header").into()),
        (_, Some(_), _) => Err(stray("--user", "basic").into()),
        (_, _, Some(_)) => Err(stray("--header", "header").into()),
    }
}

fn list(config: &Path, json: bool) -> Result<()> {
    let listed = open(config, async |store| Ok(store.list().await?))?;
    stdout::answer(json, &listed, || {
        if listed.is_empty() {
            return "nothing is stored; see custody cred put --help".into();
        }
        let row = |Listed { actor, handle, version, shape, stored_at }: &Listed| {
            let (version, shape) = (version.to_string(), shape.to_string());
            [handle.clone(), actor.clone(), version, time(*stored_at), shape]
        };
        let rows: Vec<_> = listed.iter().map(row).collect();
        table(["HANDLE", "ACTOR", "VERSION", "STORED", "TYPE"], &rows)
    })
}

fn delete(config: &Path, actor: &Actor, handle: &Handle) -> Result<()> {
    let deleted = open(config, async |store| Ok(store.delete(actor, handle).await?))?;
    anyhow::ensure!(
        deleted,
        "nothing is stored under {handle} for actor {actor}; see custody cred list"
    );
    stdout::print(format_args!(
        "deleted {handle} of actor {actor}; leases given before live to their end (at most 15m)"
    ))
}

fn open<T>(config: &Path, run: impl AsyncFnOnce(&SealedStore) -> Result<T>) -> Result<T> {
    let storage = Config::load_storage(config)?;
    with_store(&storage, (Missing::Create, NewKey::Add), run)
}
