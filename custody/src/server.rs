//! Custody, running: everything a configuration names, opened, served and closed in good order.

mod apis;
mod fault;
pub mod listener;
pub mod listeners;
mod protection;
pub mod renewal;

use crate::bulk_revocation::BulkRevocation;
use crate::config::{Config, Storage};
use crate::failures::Failures;
use crate::feed::EdgeFeed;
use crate::grants::{GrantsFile, LiveGrants, WrongGrants};
use crate::housekeeping;
use crate::http::{ConcurrencyLimits, Service, edge_routes, health_routes};
use crate::keys::{SessionKeys, SessionRules};
use crate::leasing::{Leasing, Parts};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::notify::{self, NotifyTasks, WebhookPlace};
use crate::vault::SealedVault;
use apis::Shared;
use custody_audit::writer::Writing;
use custody_audit::{AuditFault, AuditLog, Entry, Event, Outcome, recovery};
use custody_backends::assembly::{Own, assemble};
use custody_backends::resolver::Resolver;
use custody_backends::sealed::{NewKey, SealedBackend, SealedStore};
use custody_backends::{LongLived, MintingStores};
use custody_base::clock;
use custody_base::under_way;
use custody_ledger::{Ledger, Missing};
pub use fault::StartFault;
use listener::Listener;
use listeners::{BoundListener, Listeners};
use renewal::Renewal;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// A custody that listens but does not answer yet.
pub struct Server {
    edge: Listener,
    admin: Option<Listener>,
    workers: Option<Listener>,
    health: Listener,
    feed: Arc<EdgeFeed>,
    grants: Arc<GrantsFile>,
    ledger: Arc<dyn Ledger>,
    resolver: Arc<Resolver>,
    bulk_revocation: Arc<BulkRevocation>,
    notify_tasks: Option<NotifyTasks>,
    audit: AuditLog,
    writing: Writing,
    renewal: Renewal,
}

// === impl Server ===

impl Server {
    /// Opens everything and listens. A fault of the files shows here, not at the first lease. `file` is where
    /// the configuration was read from, and new grants will be.
    pub async fn start(config: Config, file: &Path) -> Result<Self, StartFault> {
        let (bound, settings) = (Listeners::open(&config).await?, apis::Settings::of(&config));
        let Config { session, storage, backends, credentials, grants, limits, webhook, .. } =
            config;
        let is_new = storage.ledger.missing().is_some();
        let ledger = storage.ledger.open(Missing::Create).await?;
        let store = Arc::new(open_store(&storage, ledger.clone()).await?);
        let (audit, writing) = open_audit(&storage, is_new).await?;
        let own = own(&store, &ledger, &audit);
        let secrets = own.minting.secrets.clone();
        let resolver = Arc::new(assemble(&backends, &credentials, own)?);
        audit.append(Entry::new(Event::Started, Outcome::Note)).await?;
        let metrics = Arc::new(Metrics::default());
        let (failures, notify_tasks) = failures(webhook, secrets, &ledger, &audit, &metrics)?;
        let grants = Arc::new(LiveGrants::new(grants));
        let bulk_revocation = Arc::new(BulkRevocation::new(
            ledger.clone(),
            resolver.clone(),
            audit.clone(),
            clock::system(),
        ));
        let shared = Shared {
            bulk_revocation,
            grants_file: Arc::new(grants_file(file, session.issuers.len(), &grants, &audit)),
            vault: Arc::new(SealedVault(store)),
            clock: clock::system(),
            ledger,
            resolver,
            failures,
            grants,
            audit,
            metrics,
        };
        let service = service(&shared, session, limits).await?;
        let apis = apis::routes(&shared, &settings);
        let listener = |own: BoundListener, routes| {
            Listener::new(own.socket, own.tls, routes, &shared.metrics)
        };
        Ok(Self {
            edge: listener(bound.edge, edge_routes(service.clone())),
            admin: bound.admin.zip(apis.admin).map(|(own, routes)| listener(own, routes)),
            workers: bound.workers.zip(apis.workers).map(|(own, routes)| listener(own, routes)),
            feed: service.feed.clone(),
            health: Listener::for_health(
                bound.health.socket,
                health_routes(service),
                &shared.metrics,
            ),
            grants: shared.grants_file,
            ledger: shared.ledger,
            resolver: shared.resolver,
            bulk_revocation: shared.bulk_revocation,
            notify_tasks,
            audit: shared.audit,
            writing,
            renewal: bound.renewal,
        })
    }

    /// The edge listener's address; the port that the system chose, if the configuration has 0.
    pub fn edge_address(&self) -> io::Result<SocketAddr> {
        self.edge.address()
    }

    /// `None` without an `admin` section.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(Listener::address).transpose()
    }

    /// `None` without a `workers` section.
    pub fn workers_address(&self) -> io::Result<Option<SocketAddr>> {
        self.workers.as_ref().map(Listener::address).transpose()
    }

    /// By which the grants are reloaded.
    pub fn grants(&self) -> Arc<GrantsFile> {
        Arc::clone(&self.grants)
    }

    pub fn audit(&self) -> AuditLog {
        self.audit.clone()
    }

    pub fn health_address(&self) -> io::Result<SocketAddr> {
        self.health.address()
    }

    /// Serves until `stop` is true, then lets what is in flight finish (bounded) and closes the
    /// audit log.
    pub async fn serve(self, stop: watch::Receiver<bool>) -> Result<(), AuditFault> {
        let listeners = [Some(self.edge), self.admin, self.workers, Some(self.health)];
        let serving: Vec<_> = listeners
            .into_iter()
            .flatten()
            .map(|listener| tokio::spawn(listener.serve(stop.clone())))
            .collect();
        let (grants, watching) = (self.grants, stop.clone());
        tokio::spawn(async move { grants.watch(watching).await });
        tokio::spawn(self.renewal.watch(stop.clone()));
        tokio::spawn(housekeeping::sweep(self.resolver, stop.clone()));
        tokio::spawn(self.bulk_revocation.resume(stop.clone()));
        tokio::spawn(housekeeping::keep(self.ledger, clock::system(), stop.clone()));
        let (end, ended) = watch::channel(false);
        let notify_tasks =
            self.notify_tasks.map(|notify_tasks| tokio::spawn(notify_tasks.run(ended)));
        let (feed, mut ending) = (self.feed, stop);
        tokio::spawn(async move {
            // Edges that wait for news would hold up the end.
            let _ = ending.wait_for(|stop| *stop).await;
            feed.close();
        });
        for listener in serving {
            // They end by themselves; one that panicked has printed why.
            let _ = listener.await;
        }
        under_way::finish().await;
        // The last lease that failed is behind it; what is on its way may want the audit log.
        end.send_replace(true);
        if let Some(notify_tasks) = notify_tasks {
            let _ = notify_tasks.await;
        }
        let stopped = self.audit.append(Entry::new(Event::Stopped, Outcome::Note)).await;
        let closed = self.audit.close().await;
        let writing = self.writing;
        let _ = tokio::task::spawn_blocking(move || writing.join()).await;
        stopped.and(closed)
    }
}

async fn open_audit(
    storage: &Storage,
    ledger_is_new: bool,
) -> Result<(AuditLog, Writing), StartFault> {
    let mut opened = recovery::open(&storage.audit)?;
    opened.segments = storage.segments;
    if ledger_is_new && opened.end.head.seq > 0 {
        tracing::warn!(
            "{} is new, the audit log is not: what was revoked before, and the kill switch, hold no \
             more; make them again (custody revoke, custody kill on), or restore the file",
            storage.ledger
        );
    }
    if let Some(torn) = opened.recovered.as_ref().and_then(|entry| entry.torn.as_ref()) {
        let (bytes, file) = (torn.torn_bytes, &torn.torn_file);
        tracing::warn!(bytes, file, "the audit log ended within a record, which is set aside");
    }
    Ok(AuditLog::start(opened).await?)
}

/// The service behind the edge listener.
async fn service(
    shared: &Shared,
    session: SessionRules,
    limits: Limits,
) -> Result<Service, StartFault> {
    let Shared { ledger, resolver, failures, grants, audit, metrics, clock, .. } = shared;
    let session_limits = session.limits;
    let feed = EdgeFeed::new(ledger.clone(), grants.clone(), session_limits, clock.clone());
    let concurrency_limits = ConcurrencyLimits::new(&limits);
    let leasing = Leasing::new(Parts {
        keys: SessionKeys::open(session, metrics).await?,
        session_limits,
        limits,
        grants: grants.clone(),
        ledger: ledger.clone(),
        resolver: resolver.clone(),
        failures: failures.clone(),
        audit: audit.clone(),
        metrics: metrics.clone(),
        clock: clock.clone(),
    });
    let (leasing, feed) = (Arc::new(leasing), Arc::new(feed));
    Ok(Service {
        leasing,
        feed,
        concurrency_limits,
        ledger: ledger.clone(),
        audit: audit.clone(),
        metrics: metrics.clone(),
    })
}

fn failures(
    place: Option<WebhookPlace>,
    secrets: Arc<dyn LongLived>,
    ledger: &Arc<dyn Ledger>,
    audit: &AuditLog,
    metrics: &Arc<Metrics>,
) -> Result<(Failures, Option<NotifyTasks>), StartFault> {
    let Some(place) = place else { return Ok((Failures::new(metrics.clone(), None), None)) };
    let parts = notify::Parts {
        ledger: ledger.clone(),
        secrets,
        audit: audit.clone(),
        metrics: metrics.clone(),
        clock: clock::system(),
    };
    let (notifier, notify_tasks) = notify::open(&place, parts).map_err(StartFault::Webhook)?;
    Ok((Failures::new(metrics.clone(), Some(notifier)), Some(notify_tasks)))
}

async fn open_store(storage: &Storage, ledger: Arc<dyn Ledger>) -> Result<SealedStore, StartFault> {
    let opened = SealedStore::open(ledger, &storage.sealing, NewKey::Add).await;
    opened.map_err(|fault| StartFault::Store { place: storage.ledger.clone(), fault })
}

/// `issuers`: the number of configured issuers, which the check of grants that are read later needs.
fn grants_file(
    file: &Path,
    issuers: usize,
    grants: &Arc<LiveGrants>,
    audit: &AuditLog,
) -> GrantsFile {
    let load = move |file: &Path| Config::load_grants(file, issuers).map_err(WrongGrants::from);
    GrantsFile::new(file.to_owned(), Arc::new(load), grants.clone(), audit.clone())
}

fn own(store: &Arc<SealedStore>, ledger: &Arc<dyn Ledger>, audit: &AuditLog) -> Own {
    let sealed = Arc::new(SealedBackend(Arc::clone(store)));
    let (ledger, audit) = (ledger.clone(), audit.clone());
    Own { sealed: sealed.clone(), minting: MintingStores { secrets: sealed, ledger, audit } }
}
