//! Credentials from a command: custody runs it, and reads the credential from its standard output.
//!
//! It connects every secret manager that has a command line. Custody starts the program itself, not a
//! shell, with no environment but the configured one, and kills what is left of it afterwards
//! ([`process`]). A value is cached until it ends, and one command runs for any number of leases
//! ([`super::tokens`]).
//!
//! A command may print a secret where it prints an error. Of that text custody logs a short part
//! without anything that looks like a secret ([`complaint`]).

mod complaint;
mod output;
mod process;
mod program;

use super::live_tokens::{Changes, Issuer, LiveTokens};
use super::tokens::{Token, TokenKey, owner};
use super::{BackendFault, CredentialBackend, CredentialRequest, LongLived, MintingStores};
use async_trait::async_trait;
use custody_base::actor::Actor;
use custody_base::clock;
use custody_base::credential::{Resolved, SecretOrigin, Shape};
use lease::{Handle, Secret};
use output::Value;
pub use output::{Format, JsonFields};
pub use program::{Program, ProgramFault, Variable};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use tokio::sync::Semaphore;

/// Commands of one backend that run at once, at most; the others wait.
const MOST_AT_ONCE: usize = 8;

/// A program that prints credentials.
pub struct CommandBackend {
    name: String,
    program: Program,
    secrets: Arc<dyn LongLived>,
    tokens: LiveTokens,
    places: Semaphore,
}

/// The settings of one credential of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRequest {
    /// Behind those of the program. Custody replaces `{actor}` and `{handle}` by those of the request.
    pub arguments: Vec<String>,
    /// The form of the credential.
    pub shape: Shape,
    pub format: Format,
}

/// One credential of a program.
pub struct CommandSource {
    backend: Arc<CommandBackend>,
    request: CommandRequest,
}

/// One run: its own copy of everything, because it outlives the caller.
struct Run {
    arguments: Vec<String>,
    format: Format,
}

// === impl CommandBackend ===

impl CommandBackend {
    /// `name`: as the configuration calls it, `backends.NAME`.
    ///
    /// # Errors
    /// The program cannot be run, or others may change it.
    pub fn new(
        name: String,
        program: Program,
        stores: MintingStores,
    ) -> Result<Arc<Self>, ProgramFault> {
        program.check()?;
        let MintingStores { secrets, ledger, audit } = stores;
        let changes: Changes = ledger;
        Ok(Arc::new_cyclic(|me: &Weak<Self>| {
            let tokens = LiveTokens::new(Arc::clone(&secrets), changes, audit, me.clone());
            let places = Semaphore::new(MOST_AT_ONCE);
            Self { name, program, secrets, tokens, places }
        }))
    }

    async fn value(
        self: &Arc<Self>,
        request: &CommandRequest,
        asked: &CredentialRequest<'_>,
    ) -> Result<Arc<Token>, BackendFault> {
        let arguments = arguments_of(request, asked);
        let key = key_of(&arguments, &request.format, asked);
        self.tokens
            .get(key, clock::now(), || {
                let run = Run { arguments: arguments.clone(), format: request.format.clone() };
                Arc::clone(self).mint(run)
            })
            .await
    }

    async fn mint(self: Arc<Self>, run: Run) -> Result<Token, BackendFault> {
        let closed = |_| BackendFault::Down("custody ends".into());
        let _place = self.places.acquire().await.map_err(closed)?;
        let (secrets, minted_from) = self.environment_secrets().await?;
        let Program { path, arguments, limit, keep, .. } = &self.program;
        let mut command = process::command(path);
        command.args(arguments).args(&run.arguments);
        for (name, variable) in &self.program.environment {
            if let Variable::Text(text) = variable {
                command.env(name, text);
            }
        }
        for (name, secret) in &secrets {
            command.env(name, OsString::from_vec(secret.expose().to_vec()));
        }
        let now = clock::now();
        let ran = process::run(command, *limit).await;
        let ran = ran.map_err(|fault| BackendFault::CommandFailed(fault.to_string()))?;
        if !ran.status.success() {
            let mut known: Vec<_> = secrets.iter().map(|(_, secret)| secret.expose()).collect();
            known.push(&ran.output);
            let told = complaint::told(&ran.complaint, &known);
            return Err(BackendFault::CommandFailed(format!("{}: {told}", ran.status)));
        }
        let Value { secret, expires_at } = output::read(&ran.output, &run.format)?;
        let expires_at = expires_at.unwrap_or_else(|| now.saturating_add(keep.as_secs()));
        if expires_at <= now {
            return Err(BackendFault::Unfit("its expires_at is not in the future"));
        }
        let (scope, ended) = (Vec::new(), AtomicBool::default());
        Ok(Token { secret, scope, minted_at: now, expires_at, minted_from, ended })
    }

    /// The variables that are in the sealed store, opened for one run.
    async fn environment_secrets(
        &self,
    ) -> Result<(Vec<(&str, Secret)>, Vec<SecretOrigin>), BackendFault> {
        let (mut secrets, mut origins) = (Vec::new(), Vec::new());
        for (name, variable) in &self.program.environment {
            let Variable::Stored { actor, handle } = variable else { continue };
            let stored = self.secrets.read(actor, handle).await?;
            if stored.secret.expose().contains(&0) {
                let what =
                    format!("the secret of {name} has a zero byte, which no variable can have");
                return Err(BackendFault::Unreadable(what));
            }
            let (actor, handle) = (actor.clone(), handle.clone());
            origins.push(SecretOrigin { actor, handle, origin: stored.origin });
            secrets.push((name.as_str(), stored.secret));
        }
        Ok((secrets, origins))
    }
}

#[async_trait]
impl Issuer for CommandBackend {
    fn name(&self) -> &str {
        &self.name
    }

    /// A command only gives.
    async fn revoke(&self, _: &Secret) -> Result<bool, BackendFault> {
        Ok(false)
    }
}

// === impl CommandSource ===

impl CommandSource {
    pub fn new(backend: Arc<CommandBackend>, request: CommandRequest) -> Self {
        Self { backend, request }
    }
}

#[async_trait]
impl CredentialBackend for CommandSource {
    fn name(&self) -> &str {
        &self.backend.name
    }

    fn is_capable(&self, asked: &CredentialRequest<'_>) -> bool {
        let kind = self.request.shape.kind();
        asked.kind.map_or(kind.is_headers(), |asked| asked == kind)
    }

    async fn resolve(&self, asked: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        asked.restriction.refuse()?;
        let token = self.backend.value(&self.request, asked).await?;
        let shaped = self.request.shape.with(token.secret.duplicate());
        let credential = shaped.map_err(|fault| BackendFault::Unreadable(fault.to_string()))?;
        Ok(Resolved {
            credential,
            target: None,
            scope: Vec::new(),
            expires_at: Some(token.expires_at),
            // One value serves many leases.
            revocation: None,
            made_from: token.minted_from.clone(),
        })
    }

    async fn revoke(&self, _: &str) {}

    fn forget(&self, actor: &Actor, handle: &Handle) {
        self.backend.tokens.forget(&owner(actor, handle), clock::now());
    }

    async fn sweep(&self) -> Result<(), BackendFault> {
        self.backend.tokens.sweep(clock::now()).await
    }
}

fn arguments_of(request: &CommandRequest, asked: &CredentialRequest<'_>) -> Vec<String> {
    let (actor, handle) = (asked.actor.as_str(), asked.handle.as_str());
    let fill = |text: &String| text.replace("{actor}", actor).replace("{handle}", handle);
    request.arguments.iter().map(fill).collect()
}

/// Everything a value depends on.
fn key_of(arguments: &[String], format: &Format, asked: &CredentialRequest<'_>) -> TokenKey {
    let (handle, actor) = (asked.handle.as_str(), asked.actor.as_str());
    let parts = serde_json::json!([handle, actor, arguments, format]);
    (owner(asked.actor, asked.handle), Sha256::digest(parts.to_string()).into())
}
