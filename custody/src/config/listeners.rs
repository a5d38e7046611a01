//! `edge` and `admin`: where custody listens, and under which protection.

use super::fault::Faults;
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

/// PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Custody's own certificate chain.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The certificate authorities whose client certificates are edges. Everybody who holds one of
    /// theirs may ask for leases, so this is a CA for edges alone.
    pub client_ca: PathBuf,
}

/// Where operators look: health and metrics, plain HTTP on loopback.
#[derive(Debug, Clone)]
pub struct AdminListener {
    pub listen: SocketAddr,
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
struct RawTls {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAdmin {
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
        (Some(tls), None) => Some(Protection::MutualTls(TlsFiles {
            certificate: folder.join(tls.certificate),
            key: folder.join(tls.key),
            client_ca: folder.join(tls.client_ca),
        })),
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
                format!("refused: {listen} is no loopback address; give edge.tls instead"),
            );
            None
        }
        _ => Some(Protection::LoopbackPlaintext),
    }
}

pub(super) fn read_admin(section: Option<Value>, faults: &mut Faults) -> Option<AdminListener> {
    let raw: RawAdmin = faults.section("admin", section)?;
    let listen = read_address("admin.listen", &raw.listen, faults)?;
    if !listen.ip().to_canonical().is_loopback() {
        faults.add(
            "admin.listen",
            format!("{listen} is no loopback address, and this listener has no TLS; use 127.0.0.1"),
        );
        return None;
    }
    Some(AdminListener { listen })
}

fn read_address(path: &str, text: &str, faults: &mut Faults) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        faults.add(path, "is an IP address and a port, as in 127.0.0.1:8443 or [::1]:8443");
    }
    address
}
