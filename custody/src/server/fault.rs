//! Why custody does not start.

use custody_audit::{AuditFault, recovery};
use custody_backends::assembly::AssemblyFault;
use custody_backends::sealed::StoreFault;
use custody_base::outbound::ReachFault;
use custody_base::tls::TlsFault;
use custody_ledger::{LedgerPlace, PlaceFault};
use std::io;
use std::net::SocketAddr;

/// Custody cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error("{}", fault.told_of(place))]
    Store { place: LedgerPlace, fault: StoreFault },
    #[error(transparent)]
    Backend(#[from] AssemblyFault),
    #[error(transparent)]
    Ledger(#[from] PlaceFault),
    #[error("audit.path: {0}")]
    Audit(#[from] recovery::OpenFault),
    #[error("audit.path: {0}")]
    AuditWrite(#[from] AuditFault),
    #[error("edge.tls.{0}")]
    EdgeTls(TlsFault),
    #[error("admin.tls.{0}")]
    AdminTls(TlsFault),
    #[error("session.keys.{0}")]
    SessionKeys(#[from] ReachFault),
    #[error("notify.webhook.{0}")]
    Webhook(ReachFault),
    #[error("workers.tls.{0}")]
    WorkersTls(TlsFault),
    #[error("{field}: cannot listen on {address}: {source}")]
    Listen { field: &'static str, address: SocketAddr, source: io::Error },
}
