//! A running stack: what a guest needs to use it, what a test needs to watch and to break it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::background::Background;
use crate::custody::CustodyHome;
use crate::dns::Dns;
use crate::envoy::{EdgeSettings, Envoy, EnvoyBinary};
use crate::fake_custody::{Answer, FakeCustody};
use crate::folder::Folder;
use crate::issuer::Issuer;
use crate::leaf_ca::LeafCa;
use crate::origin::Origin;
use crate::port_slot::PortSlot;
use crate::sessions::Sessions;

/// Everything, running. Fields stand in the order in which they are taken down: first the edge, so
/// that nothing is forwarded any more, at last the folder they all wrote into.
pub struct Stack {
    pub(crate) envoy: Option<Envoy>,
    pub(crate) custody: PortSlot,
    pub(crate) leaf_ca: Option<LeafCa>,
    pub(crate) origin: Option<Origin>,
    pub(crate) dns: Option<Dns>,
    pub(crate) issuer: Option<Issuer>,
    pub(crate) way: Way,
    pub(crate) sessions: Sessions,
    pub(crate) secrets: Vec<String>,
    pub(crate) binary: EnvoyBinary,
    pub(crate) workers: usize,
    pub(crate) settings: EdgeSettings,
    pub(crate) folder: Folder,
    pub(crate) background: Background,
}

/// How guests reach the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// `HTTPS_PROXY`, with leaves from leaf-ca.
    #[default]
    Explicit,
    /// A plain API base URL.
    Gateway,
}

// === impl Way ===

impl Way {
    /// As the plugin configuration calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Gateway => "gateway",
        }
    }
}

// === impl Stack: what a guest needs ===

impl Stack {
    /// Where guests connect to.
    pub fn edge(&self) -> SocketAddr {
        self.settings.listen
    }

    /// What a guest puts into `HTTPS_PROXY`, with a session of its own (explicit posture).
    pub fn proxy_url(&self, session: &str) -> String {
        format!("http://session:{session}@{}", self.edge())
    }

    /// What a guest puts into its API's base URL (gateway posture): the edge, then the upstream.
    pub fn base_url(&self, upstream: &str) -> String {
        format!("http://{}/{upstream}", self.edge())
    }

    /// The CA certificate a guest has to trust; `None` in the gateway posture, where there is none.
    pub fn guest_ca(&self) -> Option<&Path> {
        self.leaf_ca.as_ref().map(LeafCa::certificate)
    }

    /// A new session with `changes` laid over its claims; see [`Sessions::claims`].
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn mint(&self, changes: &Value) -> Result<String> {
        self.sessions.mint(changes)
    }

    /// The control plane, for forging.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub fn way(&self) -> Way {
        self.way
    }
}

// === impl Stack: what a test watches ===

impl Stack {
    /// The demo origin.
    ///
    /// # Errors
    /// The stack runs without one.
    pub fn origin(&self) -> Result<&Origin> {
        self.origin.as_ref().context("this stack has no demo origin")
    }

    /// The DNS server.
    ///
    /// # Errors
    /// The stack runs without one.
    pub fn dns(&self) -> Result<&Dns> {
        self.dns.as_ref().context("this stack has no DNS server")
    }

    /// Whoever publishes the keys.
    ///
    /// # Errors
    /// The policy does not have its keys fetched.
    pub fn issuer(&self) -> Result<&Issuer> {
        self.issuer.as_ref().context("this stack's keys are in its policy")
    }

    /// Envoy: its admin interface, its logs, its memory.
    ///
    /// # Errors
    /// It did not come up again after a change.
    pub fn envoy(&self) -> Result<&Envoy> {
        self.envoy.as_ref().context("Envoy is not running")
    }

    /// How Envoy ended, if it ended by itself.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn envoy_ended(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.envoy {
            Some(envoy) => envoy.ended().context("asking after Envoy"),
            None => Ok(None),
        }
    }

    /// What Envoy was told.
    pub fn settings(&self) -> &EdgeSettings {
        &self.settings
    }

    pub fn custody(&self) -> &CustodyHome {
        self.custody.home()
    }

    /// The scripted custody.
    ///
    /// # Errors
    /// Another one sits there.
    pub fn scripted_custody(&self) -> Result<&FakeCustody> {
        self.custody.scripted().context("custody is not scripted")
    }

    /// What a scripted custody was asked since it sat down; nothing while another one sits there.
    pub fn asked(&self) -> Vec<Value> {
        self.custody.asked()
    }

    /// The reports that a scripted custody got of what became of leases, as [`Stack::asked`].
    pub fn outcomes(&self) -> Vec<Value> {
        let reports = self.custody.reports().into_iter();
        reports.filter(|(path, _)| path.ends_with("/outcome")).map(|(_, body)| body).collect()
    }

    /// The real custody's process id while it runs.
    pub fn custody_pid(&self) -> Option<u32> {
        self.custody.pid()
    }

    /// The values in custody's store, for a scan that must not find them.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The folder with the configuration, the keys and the logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Every log there is: custody's, leaf-ca's, Envoy's own and its access log, and custody's
    /// audit file.
    pub fn logs(&self) -> Vec<PathBuf> {
        let mut logs = vec![
            self.folder.log("custody"),
            self.folder.log("leaf-ca"),
            self.custody.home().beside("audit.jsonl"),
        ];
        if let Some(envoy) = &self.envoy {
            logs.extend(envoy.log_paths().map(Path::to_owned));
        }
        logs.retain(|log| log.is_file());
        logs
    }
}

// === impl Stack: what a test breaks ===

impl Stack {
    /// Ends custody in an orderly way.
    pub fn stop_custody(&mut self) {
        self.custody.stop();
    }

    /// Ends custody as a crash would.
    pub fn kill_custody(&mut self) {
        self.custody.kill();
    }

    /// Puts the real custody (back) on its port.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_custody(&mut self) -> Result<()> {
        self.custody.start()
    }

    /// Puts a scripted custody on custody's port, or gives the one that is there a new script.
    ///
    /// # Errors
    /// The port cannot be had.
    pub fn fake_custody(&mut self, answer: Answer) -> Result<&FakeCustody> {
        self.custody.fake(self.background.handle(), answer)
    }

    /// Starts Envoy anew on the same port after `change`: another module, another plugin
    /// configuration.
    ///
    /// # Errors
    /// It does not come up; the stack is then without an edge.
    pub fn restart_edge(&mut self, change: impl FnOnce(&mut EdgeSettings)) -> Result<()> {
        change(&mut self.settings);
        if let Some(envoy) = self.envoy.take() {
            envoy.stop().context("stopping Envoy")?;
        }
        let folder = self.folder.folder("envoy")?;
        let config = self.settings.render()?;
        let envoy = Envoy::start_with_workers(self.workers, &self.binary, &config, &folder)?;
        self.envoy = Some(envoy);
        Ok(())
    }

    /// Takes everything down in order, with time to say goodbye, where dropping kills.
    ///
    /// # Errors
    /// Envoy cannot be waited for.
    pub fn stop(mut self) -> Result<()> {
        let stopped = self.envoy.take().map(Envoy::stop).transpose();
        self.custody.stop();
        stopped.context("stopping Envoy").map(|_| ())
    }
}
