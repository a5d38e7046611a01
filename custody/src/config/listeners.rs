//! `edge`, `admin` and `health`: where custody listens, and under which protection.

use super::fault::Faults;
use custody_base::tls::TlsFiles;
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the edge calls.
#[derive(Debug, Clone)]
pub struct EdgeListener {
    pub listen: SocketAddr,
    pub protection: Protection,
}

/// How the edge listener knows who calls.
#[derive(Debug, Clone)]
pub enum Protection {
    /// TLS, and a client certificate is demanded.
    MutualTls(TlsFiles),
    /// None; only ever on a loopback address.
    LoopbackPlaintext,
}

/// Where operators and workers call: TLS 1.3 with a client certificate, always.
#[derive(Debug, Clone)]
pub struct AdminListener {
    pub listen: SocketAddr,
    pub tls: TlsFiles,
}

/// Where probes and Prometheus look: plain HTTP, and nothing there that is worth hiding.
#[derive(Debug, Clone)]
pub struct HealthListener {
    pub listen: SocketAddr,
}

/// Each listener has an address of its own; port 0 is another one each time.
pub(super) fn apart(listeners: &[(&str, Option<SocketAddr>)], faults: &mut Faults) {
    for (at, (name, address)) in listeners.iter().enumerate() {
        let Some(address) = address.filter(|address| address.port() != 0) else { continue };
        let earlier = listeners.iter().take(at).find(|(_, other)| *other == Some(address));
        if let Some((other, _)) = earlier {
            faults.add(format!("{name}.listen"), format!("is {other}.listen, too"));
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEdge {
    listen: String,
    tls: Option<RawTls>,
    plaintext: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
    client_names: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAdmin {
    listen: String,
    tls: Option<RawTls>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHealth {
    listen: String,
}

/// The one word that switches TLS off, so that nobody does it by a stray `true`.
const LOOPBACK_ONLY: &str = "loopback-only";

pub(super) fn read_edge(
    section: Option<Value>,
    folder: &Path,
    faults: &mut Faults,
) -> Option<EdgeListener> {
    let raw: RawEdge = faults.section("edge", section)?;
    let listen = read_address("edge.listen", &raw.listen, faults);
    let protection = match (raw.tls, raw.plaintext.as_deref()) {
        (Some(tls), None) => {
            check_names("edge.tls", &tls, faults);
            Some(Protection::MutualTls(tls.beside(folder)))
        }
        (None, Some(LOOPBACK_ONLY)) => plaintext(listen, faults),
        (None, Some(_)) => {
            faults.add("edge.plaintext", format!("the only value is \"{LOOPBACK_ONLY}\""));
            None
        }
        (Some(_), Some(_)) => {
            faults.add("edge.plaintext", "contradicts edge.tls; remove one of them");
            None
        }
        (None, None) => {
            faults.add(
                "edge.tls",
                "is missing: the edge listener demands a client certificate; give certificate, \
                 key and client_ca (`custody init` makes all three)",
            );
            None
        }
    };
    Some(EdgeListener { listen: listen?, protection: protection? })
}

fn plaintext(listen: Option<SocketAddr>, faults: &mut Faults) -> Option<Protection> {
    match listen {
        Some(listen) if !listen.ip().to_canonical().is_loopback() => {
            faults.add(
                "edge.plaintext",
                format!("refused: {listen} is not a loopback address; give edge.tls instead"),
            );
            None
        }
        _ => Some(Protection::LoopbackPlaintext),
    }
}

/// `Some(None)` without the section: then there is no admin API.
pub(super) fn read_admin(
    section: Option<Value>,
    folder: &Path,
    faults: &mut Faults,
) -> Option<Option<AdminListener>> {
    if section.is_none() {
        return Some(None);
    }
    let raw: RawAdmin = faults.section("admin", section)?;
    let listen = read_address("admin.listen", &raw.listen, faults);
    let Some(tls) = raw.tls else {
        faults.add(
            "admin.tls",
            "is missing: operators show a client certificate, on loopback too; give certificate, \
             key and client_ca (`custody init` makes all three). /healthz and /metrics are at \
             health.listen",
        );
        return None;
    };
    check_names("admin.tls", &tls, faults);
    Some(Some(AdminListener { listen: listen?, tls: tls.beside(folder) }))
}

pub(super) fn read_health(section: Option<Value>, faults: &mut Faults) -> Option<HealthListener> {
    let raw: RawHealth = faults.section("health", section)?;
    Some(HealthListener { listen: read_address("health.listen", &raw.listen, faults)? })
}

pub(super) fn read_address(path: &str, text: &str, faults: &mut Faults) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        faults.add(path, "is an IP address and a port, as in 127.0.0.1:8443 or [::1]:8443");
    }
    address
}

/// No name at all would be nobody, and a wildcard is compared as it is written.
pub(super) fn check_names(path: &str, tls: &RawTls, faults: &mut Faults) {
    let Some(names) = &tls.client_names else { return };
    if names.is_empty() {
        let message = "is empty; leave it out to let in every certificate of client_ca";
        faults.add(format!("{path}.client_names"), message);
    }
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() || name.contains('*') || !name.bytes().all(|b| b.is_ascii_graphic()) {
            let message = "is a DNS name or a URI, whole, as in edge.internal or \
                           spiffe://example.org/edge";
            faults.add(format!("{path}.client_names[{at}]"), message);
        }
    }
}

// === impl RawTls ===

impl RawTls {
    pub(super) fn beside(self, folder: &Path) -> TlsFiles {
        let Self { certificate, key, client_ca, client_names } = self;
        TlsFiles {
            certificate: folder.join(certificate),
            key: folder.join(key),
            client_ca: folder.join(client_ca),
            client_names,
        }
    }
}
