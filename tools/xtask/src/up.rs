//! `cargo xtask up`: the whole stack, until Ctrl-C.

use std::fs::{self, File, TryLockError};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use stack::built::Built;
use stack::policy::{self, DEMO_HANDLE};
use stack::progress::Progress;
use stack::{Credential, Stack, StackBuilder, Way, hex};

use crate::cargo;
use crate::interrupt::Interrupt;
use crate::up_notes::UpNotes;

/// Where systems keep the roots they trust.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How often we look whether Envoy is still there.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Args)]
pub struct Up {
    /// The plugin configuration, YAML or JSON; `session` and `custody` may be left out.
    /// Without it: a demo API to call
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A custody configuration of your own, with the files `custody init` makes beside it; it must
    /// believe the policy's sessions (`session-jwt jwks target/leasehold/session.key`).
    /// Without it: one under target/leasehold/custody, that grants what the policy names
    #[arg(long, value_name = "FILE", requires = "policy")]
    custody: Option<PathBuf>,
    /// The port guests connect to, on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 3128)]
    port: u16,
    /// How guests reach the edge
    #[arg(long, value_enum, default_value_t = Posture::Explicit)]
    posture: Posture,
    /// The roots (PEM) that certificates of destinations must chain to [default: the system's]
    #[arg(long, value_name = "FILE", requires = "policy")]
    upstream_ca: Option<PathBuf>,
    /// Lets destinations be at loopback, private and link-local addresses
    #[arg(long, requires = "policy")]
    private_upstreams: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Posture {
    /// `HTTPS_PROXY`
    Explicit,
    /// An API base URL
    Gateway,
}

// === impl Up ===

impl Up {
    pub fn run(self) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let policy = self.policy.as_deref().map(policy::read).transpose()?;
        let way = match self.posture {
            Posture::Explicit => Way::Explicit,
            Posture::Gateway => Way::Gateway,
        };
        let folder = Built::find()?.target().join("leasehold");
        let _alone = alone(&folder)?;
        let builder = Stack::builder().way(way).refuse_in_tunnel();
        let builder = builder.folder(&folder).listen(self.listen()?);
        let builder = self.world(builder, policy.as_ref())?;
        let mut progress = Progress::new(cargo::BUILD_STEPS + StackBuilder::STEPS);
        cargo::build(&mut progress)?;
        let stack = builder.start_telling(&mut progress)?;
        let notes = UpNotes::of(&stack, policy.as_ref())?;
        let written = folder.join("up.json");
        notes.write(&written)?;
        println!("{}", notes.for_people());
        let outcome = keep_up(stack, &interrupt);
        let _ = fs::remove_file(&written);
        outcome.map(|()| ExitCode::SUCCESS)
    }

    /// The port guests connect to; that it is taken is said before anything is built.
    fn listen(&self) -> Result<SocketAddr> {
        let local = Ipv4Addr::LOCALHOST;
        if self.port == 0 {
            return stack::ports::free(local.into()).context("a free port for guests");
        }
        let listen = SocketAddr::from((local, self.port));
        TcpListener::bind(listen).map(|_| listen).with_context(|| {
            format!("{listen} cannot be had; stop what uses it or choose another with --port")
        })
    }

    /// The demo API, or the world as it is.
    fn world(&self, builder: StackBuilder, policy: Option<&Value>) -> Result<StackBuilder> {
        let Some(policy) = policy else {
            return Ok(builder.credential(Credential::bearer(DEMO_HANDLE, &hex(24)?)));
        };
        let builder = match &self.custody {
            Some(config) => builder.custody_config(config),
            None => builder,
        };
        let roots = match &self.upstream_ca {
            Some(roots) => roots.canonicalize().with_context(|| roots.display().to_string())?,
            None => system_roots()?,
        };
        Ok(builder.policy(policy.clone()).real_world(&roots, self.private_upstreams))
    }
}

/// Waits for Ctrl-C, then takes everything down in order.
fn keep_up(mut stack: Stack, interrupt: &Interrupt) -> Result<()> {
    while !interrupt.wait(LOOK) {
        if let Some(status) = stack.envoy_ended()? {
            let [log, _] = stack.envoy()?.log_paths();
            bail!("Envoy ended by itself ({status}); its log is {}", log.display());
        }
    }
    eprintln!("\ntaking everything down");
    stack.stop()
}

/// Holds the folder as long as the file is open: two stacks would write over each other's files.
fn alone(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        bail!("`cargo xtask up` runs already; end it with Ctrl-C first");
    }
    Ok(file)
}

fn system_roots() -> Result<PathBuf> {
    let found = SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.is_file());
    found.map(Path::to_owned).with_context(|| {
        format!("none of {SYSTEM_ROOTS:?} is there; name your trusted roots with --upstream-ca")
    })
}
