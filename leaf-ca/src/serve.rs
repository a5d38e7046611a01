//! `leaf-ca serve`: puts the pieces together and runs them until a signal ends it.

use crate::authority::Authority;
use crate::listen::{Bound, Listen};
use crate::minter::{Limits, Minter};
use crate::policy::{Pattern, Policy};
use crate::sds::Sds;
use anyhow::Context;
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryServiceServer;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::server::HealthReporter;

/// How often leaves are looked at for renewal. The shortest life is a day, half of it twelve hours.
const RECHECK: Duration = Duration::from_secs(60);
/// How long streams may take to end before the process does.
const GRACE: Duration = Duration::from_secs(5);
/// How long before its end an authority is warned about.
const WARNING: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Streams on one connection beyond one a name: health checks, names about to be withdrawn.
const SPARE_STREAMS: u32 = 1024;

/// What `serve` is told.
#[derive(Clone, Debug)]
pub struct Serve {
    pub ca: PathBuf,
    pub names: Names,
    pub listen: Listen,
    /// Mode of a unix socket.
    pub socket_mode: u32,
    pub limits: Limits,
}

/// Where the names come from: a file, patterns of the command line, or both.
#[derive(Clone, Debug)]
pub struct Names {
    pub policy: Option<PathBuf>,
    pub allow: Vec<Pattern>,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// Serves until SIGTERM or SIGINT; SIGHUP reads the policy again.
pub async fn serve(options: Serve) -> anyhow::Result<()> {
    let signals = Signals::install().context("cannot receive signals")?;
    let authority = Authority::load(&options.ca, SystemTime::now())?;
    let policy = options.names.read()?;
    if policy.is_empty() {
        tracing::warn!("the policy has no DNS name: leaf-ca rejects every handshake");
    }
    warn_before_it_runs_out(&authority);
    let patterns = policy.len();
    let minter =
        Arc::new(Minter::new(authority, policy, options.limits, Arc::new(SystemTime::now)));
    let bound = options.listen.bind(options.socket_mode).await?;
    let address = bound.address()?;
    tracing::info!(%address, patterns, "serving SDS");
    // For whoever started us and waits for the port; a closed standard output is no reason to end.
    let _ = writeln!(std::io::stdout(), "listening on {address}");

    let (stop, stopping) = watch::channel(false);
    let Limits { names, refused_names, .. } = options.limits;
    let names = names.get() + refused_names.map_or(0, NonZeroUsize::get);
    let streams = SPARE_STREAMS.saturating_add(u32::try_from(names)?);
    let (health, health_service) = tonic_health::server::health_reporter();
    let server =
        Server::builder().max_concurrent_streams(streams).add_service(health_service).add_service(
            SecretDiscoveryServiceServer::new(Sds::new(Arc::clone(&minter), stopping.clone())),
        );
    // Before the first connection: whoever can ask already is told the truth.
    report(&minter, &health).await;
    let serving = tokio::spawn(run(server, bound, stopping));
    signals.until_stopped(&minter, &options.names, &health).await;
    stop.send_replace(true);
    match tokio::time::timeout(GRACE, serving).await {
        Ok(ended) => ended.context("the server failed")?.context("the server failed")?,
        Err(_) => tracing::warn!("ending with open streams"),
    }
    tracing::info!("stopped");
    Ok(())
}

async fn run(
    server: tonic::transport::server::Router,
    bound: Bound,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    let stopped = async move {
        // An error means that nobody can ask us to stop any more, which ends us as well.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    match bound {
        Bound::Loopback(listener) => {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            server.serve_with_incoming_shutdown(incoming, stopped).await
        }
        Bound::Unix(listener, _file) => {
            server.serve_with_incoming_shutdown(UnixListenerStream::new(listener), stopped).await
        }
    }
}

// === impl Names ===

impl Names {
    /// Reads the file again each time it is called.
    pub fn read(&self) -> anyhow::Result<Policy> {
        let mut policy = match &self.policy {
            None => Policy::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the policy {}", path.display()))?;
                Policy::parse(&text).map_err(|wrong| anyhow::anyhow!(wrong.in_file(path)))?
            }
        };
        self.allow.iter().cloned().for_each(|pattern| policy.insert(pattern));
        Ok(policy)
    }
}

// === impl Signals ===

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Looks after the leaves, the policy and the health until we are told to stop.
    async fn until_stopped(mut self, minter: &Minter, names: &Names, health: &HealthReporter) {
        let mut recheck = tokio::time::interval(RECHECK);
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => reload(minter, names),
                _ = recheck.tick() => {
                    minter.recheck();
                    report(minter, health).await;
                }
            }
        }
    }
}

fn warn_before_it_runs_out(authority: &Authority) {
    let left = authority.not_after().duration_since(SystemTime::now()).unwrap_or_default();
    if left < WARNING {
        let days = left.as_secs() / (24 * 60 * 60);
        tracing::warn!(days, "the certificate of the CA expires soon: make the next one");
    }
}

/// All or nothing: a policy that cannot be read leaves the old one in force.
fn reload(minter: &Minter, names: &Names) {
    match names.read() {
        Ok(policy) => {
            tracing::info!(patterns = policy.len(), "reloaded the policy");
            minter.replace_policy(policy);
        }
        Err(error) => {
            tracing::error!(
                error = format!("{error:#}"),
                "failed to reload the policy: leaf-ca uses the old one"
            );
        }
    }
}

async fn report(minter: &Minter, health: &HealthReporter) {
    if minter.is_able() {
        health.set_serving::<SecretDiscoveryServiceServer<Sds>>().await;
    } else {
        tracing::error!("the certificate of the CA has expired: leaf-ca mints no leaf");
        health.set_not_serving::<SecretDiscoveryServiceServer<Sds>>().await;
    }
}
