//! What a stack is to be, before it is started.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::background::Background;
use crate::built::Built;
use crate::custody::{Credential, CustodyHome};
use crate::dns::Dns;
use crate::envoy::running::WORKERS;
use crate::envoy::{CustodyCluster, EdgeSettings, Envoy, EnvoyBinary, LeafCaLink, Posture};
use crate::fixtures::{FixtureSettings, Fixtures};
use crate::folder::Folder;
use crate::issuer::Issuer;
use crate::leaf_ca::LeafCa;
use crate::origin::{Origin, OriginSettings};
use crate::policy;
use crate::port_slot::PortSlot;
use crate::ports;
use crate::progress::Progress;
use crate::sessions::Sessions;
use crate::stack::{Stack, Way};

/// Every choice has a default that suits a test: a new folder, free ports, the demo's policy.
pub struct StackBuilder {
    way: Way,
    policy: Value,
    grants: Option<Vec<Value>>,
    custody_session: Value,
    credentials: Vec<Credential>,
    custody_config: Option<PathBuf>,
    origin: Option<OriginSettings>,
    names: Vec<String>,
    upstream_ca: Option<PathBuf>,
    private_upstreams: bool,
    any_port: bool,
    refuse_in_tunnel: bool,
    filter: Option<PathBuf>,
    workers: usize,
    listen: Option<SocketAddr>,
    folder: Option<PathBuf>,
}

// === impl Stack ===

impl Stack {
    pub fn builder() -> StackBuilder {
        StackBuilder::default()
    }
}

// === impl StackBuilder ===

impl Default for StackBuilder {
    fn default() -> Self {
        let names = [policy::DEMO_HOST, policy::OTHER_HOST].map(str::to_owned).to_vec();
        Self {
            way: Way::default(),
            policy: policy::demo(),
            grants: None,
            custody_session: Value::Null,
            credentials: Vec::new(),
            custody_config: None,
            origin: Some(OriginSettings::new(names.clone())),
            names,
            upstream_ca: None,
            private_upstreams: true,
            any_port: false,
            refuse_in_tunnel: false,
            filter: None,
            workers: WORKERS,
            listen: None,
            folder: None,
        }
    }
}

impl StackBuilder {
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// The plugin configuration; what is missing of `posture`, `session` and `custody` is filled
    /// in, and [`policy::ORIGIN_PORT`] replaced.
    pub fn policy(mut self, policy: Value) -> Self {
        self.policy = policy;
        self
    }

    /// Custody's grants, with [`policy::ORIGIN_PORT`] replaced. Without: what the policy names, for
    /// the sessions it allows.
    pub fn grants(mut self, grants: Vec<Value>) -> Self {
        self.grants = Some(grants);
        self
    }

    /// Fields laid over custody's section `session`, such as `idle` and `absolute`.
    pub fn custody_session(mut self, fields: Value) -> Self {
        self.custody_session = fields;
        self
    }

    /// Puts one more credential into custody's store.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credentials.push(credential);
        self
    }

    /// Serves this custody configuration as it stands instead of making one; its grants and its
    /// credentials are its author's.
    pub fn custody_config(mut self, config: &Path) -> Self {
        self.custody_config = Some(config.to_owned());
        self
    }

    /// The demo origin; its certificate's names also resolve.
    pub fn origin(mut self, origin: OriginSettings) -> Self {
        self.names.extend(origin.certificate_names.iter().cloned());
        self.origin = Some(origin);
        self
    }

    /// Names that resolve to the demo origin beside those of its certificate.
    pub fn names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// The demo origin is every destination, whichever port a policy or a request names: for
    /// policies with the ports of the world, which nobody here may listen on.
    pub fn origin_on_any_port(mut self) -> Self {
        self.any_port = true;
        self
    }

    /// No demo origin and no DNS server: the world as it is. Upstream certificates must chain to
    /// the roots in `roots`; private addresses are refused as everywhere, unless `private`.
    pub fn real_world(mut self, roots: &Path, private: bool) -> Self {
        self.origin = None;
        self.upstream_ca = Some(roots.to_owned());
        self.private_upstreams = private;
        self
    }

    /// Trusts these roots (PEM) instead of the demo origin's.
    pub fn upstream_ca(mut self, roots: &Path) -> Self {
        self.upstream_ca = Some(roots.to_owned());
        self
    }

    /// As shipped: in the explicit posture a CONNECT that is denied opens a tunnel that tells why, unless the
    /// policy says otherwise.
    pub fn refuse_in_tunnel(mut self) -> Self {
        self.refuse_in_tunnel = true;
        self
    }

    /// Loads another module in place of the filter.
    pub fn filter(mut self, module: &Path) -> Self {
        self.filter = Some(module.to_owned());
        self
    }

    /// Workers of Envoy, each with a VM of its own; two without this.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Where guests connect to.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// A folder that stays, in which keys are made once and found again.
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Starts everything; returns when guests can come.
    ///
    /// # Errors
    /// Something is not built or does not come up. Whatever runs already is taken down.
    pub fn start(self) -> Result<Stack> {
        self.start_telling(&mut Progress::silent())
    }

    /// How many steps [`StackBuilder::start_telling`] tells.
    pub const STEPS: usize = 4;

    /// The same, telling each step.
    ///
    /// # Errors
    /// As [`StackBuilder::start`].
    pub fn start_telling(self, progress: &mut Progress) -> Result<Stack> {
        let built = Built::find()?;
        let mut step = progress.step("fetching Envoy");
        let binary = {
            let step = std::cell::RefCell::new(&mut step);
            EnvoyBinary::locate_or_fetch(&|news| step.borrow_mut().still(news))?
        };
        step.finish_with(&format!("Envoy {}", binary.version()));

        let step = progress.step("making keys, certificates and the policy");
        let prepared = self.prepare(&built)?;
        step.finish();

        let step = progress.step("starting custody and leaf-ca");
        let (port_slot, leaf_ca) = prepared.start_services(&built)?;
        step.finish();

        let step = progress.step("starting Envoy");
        let stack = prepared.start_edge(binary, port_slot, leaf_ca)?;
        step.finish();
        Ok(stack)
    }

    fn fixtures(&self) -> FixtureSettings<'_> {
        FixtureSettings {
            origin: self.origin.as_ref(),
            names: &self.names,
            policy: &self.policy,
            upstream_ca: self.upstream_ca.as_deref(),
        }
    }

    fn prepare(self, built: &Built) -> Result<Prepared> {
        let background = Background::start()?;
        let on = ports::address();
        let folder = match &self.folder {
            Some(path) => Folder::kept(path)?,
            None => Folder::temporary(built)?,
        };
        let sessions = self.sessions(&folder)?;
        let Fixtures { origin, dns, issuer, upstream_ca } =
            Fixtures::make(&self.fixtures(), &background, &folder, &sessions)?;
        let listen = self.listen.map_or_else(|| ports::free(on), Ok).context("the guests' port")?;
        let port = origin.as_ref().map_or(0, Origin::port);
        let mut policy = policy::with_origin_port(&self.policy, port);
        policy = policy::complete(&policy, &sessions, self.way.name());
        match self.way {
            Way::Gateway => policy::name_the_gateway(&mut policy, listen),
            Way::Explicit if self.refuse_in_tunnel => policy::refuse_in_tunnel(&mut policy),
            Way::Explicit => {}
        }
        let policy_file = folder.write("policy.json", &format!("{policy:#}"))?;
        let custody = match &self.custody_config {
            Some(config) => CustodyHome::of(built, config)?,
            None => {
                let grants = self.grants.clone().unwrap_or_else(|| policy::grants_for(&policy));
                let grants: Vec<_> =
                    grants.iter().map(|grant| policy::with_origin_port(grant, port)).collect();
                // Operators look at the address on custody's certificate, which `custody init` has made.
                let admin = ports::free(Ipv4Addr::LOCALHOST.into())?;
                let addresses = [ports::free(on)?, ports::free(on)?, admin];
                let home = folder.folder("custody")?;
                let session = policy::session_of_custody(&policy, &sessions, &self.custody_session);
                CustodyHome::make(built, &home, addresses, &session, &grants)?
            }
        };
        for credential in &self.credentials {
            custody.put(credential)?;
        }
        let filter = self.filter.clone().map_or_else(|| built.filter(), Ok)?;
        Ok(Prepared {
            choices: self,
            background,
            folder,
            sessions,
            origin,
            dns,
            issuer,
            upstream_ca,
            listen,
            policy,
            policy_file,
            custody,
            filter,
        })
    }

    /// A folder that stays keeps its session key; a policy may name issuer and audience itself.
    fn sessions(&self, folder: &Folder) -> Result<Sessions> {
        let sessions = Sessions::load_or_generate(&folder.file("session.key"))?;
        let named = |field: &str, default: &str| {
            let written = self.policy.pointer(&format!("/session/{field}"));
            written.and_then(Value::as_str).unwrap_or(default).to_owned()
        };
        let issuer = named("issuer", sessions.issuer());
        let audience = named("audience", sessions.audience());
        Ok(sessions.named(&issuer, &audience))
    }
}

/// Everything that is made before the first program starts.
struct Prepared {
    choices: StackBuilder,
    background: Background,
    folder: Folder,
    sessions: Sessions,
    origin: Option<Origin>,
    dns: Option<Dns>,
    issuer: Option<Issuer>,
    upstream_ca: PathBuf,
    listen: SocketAddr,
    policy: Value,
    policy_file: PathBuf,
    custody: CustodyHome,
    filter: PathBuf,
}

// === impl Prepared ===

impl Prepared {
    fn start_services(&self, built: &Built) -> Result<(PortSlot, Option<LeafCa>)> {
        let port_slot = PortSlot::real(self.custody.clone(), self.folder.log("custody"))?;
        let leaf_ca = match self.choices.way {
            Way::Explicit => {
                let refused_names = policy::refused_names(&self.policy);
                Some(LeafCa::start(built, &self.folder, &self.policy_file, refused_names)?)
            }
            Way::Gateway => None,
        };
        Ok((port_slot, leaf_ca))
    }

    fn start_edge(
        self,
        binary: EnvoyBinary,
        custody: PortSlot,
        leaf_ca: Option<LeafCa>,
    ) -> Result<Stack> {
        let posture = match &leaf_ca {
            Some(leaf_ca) => Posture::Explicit { leaf_ca: LeafCaLink::Tcp(leaf_ca.address()) },
            None => Posture::Gateway,
        };
        let settings = EdgeSettings {
            posture,
            listen: self.listen,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            filter: self.filter,
            plugin: self.policy,
            custody: Some(self.custody.link()),
            custody_cluster: CustodyCluster::default(),
            issuer: self.issuer.as_ref().map(Issuer::address),
            retry: false,
            destinations: self
                .origin
                .as_ref()
                .map(Origin::address)
                .filter(|_| self.choices.any_port),
            resolver: self.dns.as_ref().map(Dns::address),
            upstream_ca: self.upstream_ca,
            access_log: None,
            private_upstreams: self.choices.private_upstreams,
        };
        let workers = self.choices.workers;
        let folder = self.folder.folder("envoy")?;
        let envoy = Envoy::start_with_workers(workers, &binary, &settings.render()?, &folder)?;
        let secrets =
            self.choices.credentials.into_iter().map(|credential| credential.secret).collect();
        Ok(Stack {
            envoy: Some(envoy),
            custody,
            leaf_ca,
            origin: self.origin,
            dns: self.dns,
            issuer: self.issuer,
            way: self.choices.way,
            sessions: self.sessions,
            secrets,
            binary,
            workers,
            settings,
            folder: self.folder,
            background: self.background,
        })
    }
}
