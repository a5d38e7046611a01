//! Launches custody: makes its home with `custody init`, writes down the grants, puts credentials
//! into its store, serves.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;

use crate::built::Built;
use crate::child::{self, Running};
use crate::envoy::{CustodyLink, MutualTls};
use crate::policy::CUSTODY_AUTHORITY;

/// How long it may take to be ready on a machine that is busy with other tests.
const READY: Duration = Duration::from_secs(30);

/// An answer takes no longer, once there is one.
const ASKED: Duration = Duration::from_secs(5);

/// The file that `custody init` writes and `custody serve` reads.
const CONFIG: &str = "custody.yaml";

/// A custody that could be served: its configuration, and what Envoy must know to call it.
#[derive(Clone, Debug)]
pub struct CustodyHome {
    program: PathBuf,
    config: PathBuf,
    edge: SocketAddr,
    health: SocketAddr,
    admin: Option<SocketAddr>,
}

/// One credential for the store.
#[derive(Clone)]
pub struct Credential {
    pub handle: String,
    /// What `custody cred put` takes beside the handle, such as `--type header --header X-Api-Key`.
    pub arguments: Vec<String>,
    pub secret: String,
}

// === impl Credential ===

impl Credential {
    /// A bearer token: the origin gets `Authorization: Bearer SECRET`.
    pub fn bearer(handle: &str, secret: &str) -> Self {
        Self::with(handle, &["--type", "bearer"], secret)
    }

    /// Any type, by its arguments.
    pub fn with(handle: &str, arguments: &[&str], secret: &str) -> Self {
        Self {
            handle: handle.to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            secret: secret.to_owned(),
        }
    }
}

// === impl CustodyHome ===

impl CustodyHome {
    /// Makes a home in `folder` unless there is one, to listen on these addresses (edge, health,
    /// admin),
    /// believe the sessions that `session` says, and grant `grants`.
    ///
    /// # Errors
    /// The program is not built or refuses, or the files cannot be written.
    pub fn make(
        built: &Built,
        folder: &Path,
        [edge, health, admin]: [SocketAddr; 3],
        session: &Value,
        grants: &[Value],
    ) -> Result<Self> {
        let program = built.program("custody")?;
        let config = folder.join(CONFIG);
        if !config.is_file() {
            child::run(Command::new(&program).arg("init").arg(folder), "")?;
        }
        let home = Self { program, config, edge, health, admin: Some(admin) };
        let mut written = home.read()?;
        set(&mut written, "/edge/listen", json!(edge.to_string()))?;
        set(&mut written, "/health/listen", json!(health.to_string()))?;
        set(&mut written, "/admin/listen", json!(admin.to_string()))?;
        written["session"] = session.clone();
        written["grants"] = json!(grants);
        let text = serde_yaml_ng::to_string(&written).context("writing custody.yaml")?;
        fs::write(&home.config, text)
            .with_context(|| format!("writing {}", home.config.display()))?;
        Ok(home)
    }

    /// The home of somebody's own configuration, with edge certificates beside it as `custody init`
    /// lays them.
    ///
    /// # Errors
    /// The file cannot be read or does not say where custody listens.
    pub fn of(built: &Built, config: &Path) -> Result<Self> {
        let program = built.program("custody")?;
        let config =
            config.canonicalize().with_context(|| format!("reading {}", config.display()))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut home = Self { program, config, edge: nowhere, health: nowhere, admin: None };
        let written = home.read()?;
        home.edge = home.listens(&written, "edge")?;
        home.health = home.listens(&written, "health")?;
        if written.get("admin").is_some() {
            home.admin = Some(home.listens(&written, "admin")?);
        }
        Ok(home)
    }

    /// Seals a credential into the store.
    ///
    /// # Errors
    /// `custody cred put` refuses it.
    pub fn put(&self, credential: &Credential) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("cred").arg("put").arg("--config").arg(&self.config);
        command.arg(&credential.handle).args(&credential.arguments);
        child::run(&mut command, &credential.secret).map(|_| ())
    }

    /// Asks the one that is running, as an operator: `custody ARGUMENTS`.
    ///
    /// # Errors
    /// It refuses, or cannot be reached.
    pub fn operate(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--config").arg(&self.config);
        child::run(&mut command, "")
    }

    /// Serves until the returned program is stopped or dropped.
    ///
    /// # Errors
    /// It does not come up; with the end of its log.
    pub fn serve(&self, log: &Path) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(&self.config);
        let mut running = Running::start("custody", &command, log)?;
        // All listeners are bound before custody has opened its files, and answer from then on.
        let health = format!("http://{}/healthz", self.health);
        let agent = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(ASKED))
            .build()
            .new_agent();
        running.wait_until("answering", READY, || agent.get(&health).call().is_ok())?;
        Ok(running)
    }

    /// What Envoy must know to call it.
    pub fn link(&self) -> CustodyLink {
        let tls = MutualTls {
            server_ca: self.beside("ca.pem"),
            server_name: CUSTODY_AUTHORITY.to_owned(),
            certificate: self.beside("edge-client.pem"),
            key: self.beside("edge-client.key"),
            secrets: self.beside("sds"),
        };
        CustodyLink { address: self.edge, tls: Some(tls) }
    }

    /// The certificate and key of its edge listener, as its configuration names them.
    ///
    /// # Errors
    /// The configuration cannot be read or has no TLS.
    pub fn server_certificate(&self) -> Result<[PathBuf; 2]> {
        let written = self.read()?;
        let named = |pointer: &str| {
            let file = written.pointer(pointer).and_then(Value::as_str);
            file.map(|file| self.beside(file))
                .with_context(|| format!("{}: no {}", self.config.display(), dotted(pointer)))
        };
        Ok([named("/edge/tls/certificate")?, named("/edge/tls/key")?])
    }

    /// Where Envoy calls it.
    pub fn edge(&self) -> SocketAddr {
        self.edge
    }

    /// Where people ask for its health and metrics.
    pub fn health(&self) -> SocketAddr {
        self.health
    }

    /// Where operators call, with their certificate; `None` if its configuration has no such section.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The program that serves it and puts credentials into its store.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The file `name` beside the configuration.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.config.with_file_name(name)
    }

    fn read(&self) -> Result<Value> {
        let at = self.config.display();
        let text = fs::read_to_string(&self.config).with_context(|| format!("reading {at}"))?;
        let value: Value = serde_yaml_ng::from_str(&text).with_context(|| format!("{at}"))?;
        if !value.is_object() {
            bail!("{at}: expected the fields of a custody configuration");
        }
        Ok(value)
    }

    fn listens(&self, written: &Value, listener: &str) -> Result<SocketAddr> {
        let text = written.pointer(&format!("/{listener}/listen")).and_then(Value::as_str);
        let text = text.with_context(|| {
            format!("{}: no {listener}.listen; expected 127.0.0.1:PORT", self.config.display())
        })?;
        text.parse().with_context(|| {
            format!("{}: {listener}.listen: {text:?} is not an address", self.config.display())
        })
    }
}

/// Sets the field at `pointer`, whose parents must be there.
fn set(written: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let (parents, field) = pointer.rsplit_once('/').context("a pointer begins with /")?;
    let parent = written.pointer_mut(parents).and_then(Value::as_object_mut);
    let parent = parent.with_context(|| format!("custody.yaml: no {}", dotted(parents)))?;
    parent.insert(field.to_owned(), value);
    Ok(())
}

fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
