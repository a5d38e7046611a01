//! Everything that is measured with, started once: origin, custody, control plane, load.

use std::cell::RefCell;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use stack::authority::Authority;
use stack::built::Built;
use stack::child::Running;
use stack::envoy::{EdgeSettings, Envoy, EnvoyBinary, Posture};
use stack::progress::{Progress, Step};
use stack::sessions::{self, AUDIENCE, ISSUER};
use stack::{Answer, Stack, policy, ports};

use super::edge::Edge;
use super::load::Loader;
use super::origin::Origin;
use super::shape::shaped;
use super::tokens::{self, Tokens};
use super::variant::{CARRIER, CREDENTIAL, Facts, NO_OP, Variant, set};

/// The name a guest calls inside a tunnel. wrk resolves what it shows as SNI.
pub const TUNNELLED: &str = "localhost";

/// What every measurement shares. What is not measured runs beside: on this machine, and on its CPU.
pub struct Testbed {
    pub loader: Loader,
    pub tokens: Tokens,
    jwks: Value,
    binary: EnvoyBinary,
    filter: PathBuf,
    no_op: PathBuf,
    ext_authz: SocketAddr,
    _ext_authz: Running,
    origin: Origin,
    origin_ca: PathBuf,
    stack: Stack,
}

/// Seconds a lease of the scripted custody lives, and after which it is renewed: longer than a round.
const LEASE: u64 = 890;
const FRESH: u64 = 800;
/// How long a program may take to start.
const READY: Duration = Duration::from_secs(30);

// === impl Testbed ===

impl Testbed {
    /// # Errors
    /// Something is not built, cannot be fetched or does not come up.
    pub fn start(progress: &mut Progress) -> Result<Self> {
        let mut step = progress.step("starting origin, custody, leaf-ca and an ext_authz service");
        let testbed = Self::start_all(&mut step)?;
        step.finish_with(&format!("Envoy {}", testbed.binary.version()));
        Ok(testbed)
    }

    fn start_all(step: &mut Step<'_>) -> Result<Self> {
        let step = RefCell::new(step);
        let on_progress = |news: &str| step.borrow_mut().still(news);
        let binary = EnvoyBinary::locate_or_fetch(&on_progress)?;
        let tokens = Tokens::generate()?;
        let jwks = tokens.jwks();
        let stack = Stack::builder().policy(policy_for(&[TUNNELLED.to_owned()], &jwks)).start()?;
        let folder = folder_in(stack.folder(), "testbed")?;
        let authority = Authority::new("Leasehold benchmark CA")?;
        let origin = Origin::start(&binary, &authority, TUNNELLED, &folder_in(&folder, "origin")?)?;
        let written = |name: &str, content: &[u8]| -> Result<PathBuf> {
            let path = folder.join(name);
            fs::write(&path, content).with_context(|| path.display().to_string())?;
            Ok(path)
        };
        let keys = written("jwks.json", jwks.to_string().as_bytes())?;
        let (ext_authz, running) = start_ext_authz(&keys, &folder)?;
        Ok(Self {
            loader: Loader::new(&folder, &on_progress)?,
            filter: Built::find()?.filter()?,
            no_op: written("no-op.wasm", &wat::parse_str(NO_OP)?)?,
            origin_ca: written("origin-ca.pem", authority.pem().as_bytes())?,
            tokens,
            jwks,
            binary,
            ext_authz,
            _ext_authz: running,
            origin,
            stack,
        })
    }

    /// Which Envoy it is.
    pub fn envoy_version(&self) -> &str {
        self.binary.version()
    }

    /// Leases that outlive the next round. Custody is scripted, so that no disk has a part in it.
    ///
    /// # Errors
    /// Its port cannot be had.
    pub fn put_leases(&mut self) -> Result<()> {
        let now = sessions::now();
        let lease = json!({
            "lease_id": "measured",
            "expires_at": now + LEASE,
            "renew_after": now + FRESH,
            "headers": [{"name": "authorization", "value": CREDENTIAL}],
            "binding": "session",
        });
        self.stack.fake_custody(Answer::json(200, &lease)).map(drop)
    }

    /// An Envoy in the clear (gateway posture) with these destinations and so many workers.
    ///
    /// # Errors
    /// It does not come up.
    pub fn edge(&self, variant: Variant, hosts: &[String], workers: usize) -> Result<Edge> {
        let listen = ports::free(ports::address())?;
        let plane = self.stack.sessions();
        let mut plugin = policy::complete(&policy_for(hosts, &self.jwks), plane, "gateway");
        policy::name_the_gateway(&mut plugin, listen);
        let settings =
            EdgeSettings { posture: Posture::Gateway, plugin, ..self.settings(variant, listen) };
        let envoy = self.start_envoy(variant, &settings, Some(self.origin.clear()), workers)?;
        Ok(Edge::new(variant.name(), envoy))
    }

    /// An Envoy that decrypts (explicit posture), with TLS to the guest and to the origin.
    ///
    /// # Errors
    /// It does not come up.
    pub fn tunnel_edge(&self, variant: Variant, session: &str) -> Result<Edge> {
        let settings = EdgeSettings {
            destinations: Some(self.origin.tls),
            upstream_ca: self.origin_ca.clone(),
            ..self.settings(variant, ports::free(ports::address())?)
        };
        let envoy = self.start_envoy(variant, &settings, None, 1)?;
        Edge::new(variant.name(), envoy).through_tunnels(&format!("{TUNNELLED}:443"), session)
    }

    /// Writes requests into a file of this name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn requests<'a>(
        &self,
        name: &str,
        requests: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<PathBuf> {
        tokens::write(&folder_in(self.stack.folder(), "requests")?.join(name), requests)
    }

    fn settings(&self, variant: Variant, listen: SocketAddr) -> EdgeSettings {
        let module = if variant == Variant::NoOp { &self.no_op } else { &self.filter };
        EdgeSettings { listen, filter: module.clone(), ..self.stack.settings().clone() }
    }

    fn start_envoy(
        &self,
        variant: Variant,
        settings: &EdgeSettings,
        in_the_clear: Option<SocketAddr>,
        workers: usize,
    ) -> Result<Envoy> {
        let facts = Facts {
            issuer: ISSUER,
            audience: AUDIENCE,
            jwks: &self.jwks,
            ext_authz: self.ext_authz,
        };
        let config = shaped(&settings.render()?, variant, &facts, in_the_clear)?;
        let folder = folder_in(self.stack.folder(), &format!("edge-{}", settings.listen.port()))?;
        Ok(Envoy::start_with_workers(workers, &self.binary, &config, &folder)?)
    }
}

/// A policy with a destination a host. Each has a credential, but those that are [`OPEN`].
fn policy_for(hosts: &[String], jwks: &Value) -> Value {
    let destinations: Vec<_> = hosts
        .iter()
        .enumerate()
        .map(|(n, host)| {
            let mut destination = json!({
                "name": format!("destination-{n}"),
                "hosts": [host],
                "allow": [
                    {"methods": ["GET", "HEAD"], "paths": ["/v1/**"]},
                    {"methods": ["POST"], "paths": ["/v1/messages", "/v1/chat/*"]},
                ],
                "sessions": tokens::condition(),
            });
            if !host.starts_with(OPEN) {
                set(&mut destination, "credential", json!({"handle": format!("handle-{n}")}));
            }
            destination
        })
        .collect();
    json!({"session": {"keys": {"jwks": jwks}}, "destinations": destinations})
}

/// How the names of destinations without a credential begin.
pub const OPEN: &str = "open";

fn folder_in(parent: &Path, name: &str) -> Result<PathBuf> {
    let path = parent.join(name);
    fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
    Ok(path)
}

fn start_ext_authz(jwks: &Path, folder: &Path) -> Result<(SocketAddr, Running)> {
    let address = ports::free(ports::address())?;
    let mut command = Command::new(Built::find()?.target().join("release/ext-authz"));
    command.args(["--issuer", ISSUER, "--audience", AUDIENCE, "--carrier", CARRIER]);
    command
        .args(["--credential", CREDENTIAL, "--listen", &address.to_string(), "--jwks"])
        .arg(jwks);
    let mut running = Running::start("ext-authz", &command, &folder.join("ext-authz.log"))?;
    running.wait_listening(address, READY)?;
    Ok((address, running))
}
