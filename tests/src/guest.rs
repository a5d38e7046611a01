//! A guest who is in control of every byte, and who holds no more than a guest is given: the
//! edge's address, a Session JWT, the CA certificate.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::reply::Reply;
use crate::wire::Wire;

/// Far longer than anything here takes on a busy machine: what is still silent then hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A decrypted tunnel, as the guest has it.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// What came of a CONNECT.
pub enum Connected {
    Tunnel(TcpStream),
    Refused(Reply),
}

// === the plain side ===

/// A connection to the edge, with nothing said yet.
///
/// # Errors
/// Nobody listens.
pub fn dial(edge: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&edge, PATIENCE).context("connecting to the edge")?;
    stream.set_read_timeout(Some(PATIENCE)).context("a socket option")?;
    stream.set_nodelay(true).context("a socket option")?;
    Ok(stream)
}

/// Sends these bytes on a connection of their own; the response.
///
/// # Errors
/// The connection is closed without one.
pub fn plain(edge: SocketAddr, request: impl AsRef<[u8]>) -> Result<Reply> {
    Wire::new(dial(edge)?).exchange(request)
}

/// A CONNECT to `target` with these header lines (`name: value`).
///
/// # Errors
/// The connection is closed without an answer.
pub fn connect(edge: SocketAddr, target: &str, headers: &[String]) -> Result<Connected> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    for header in headers {
        request += &format!("{header}\r\n");
    }
    request += "\r\n";
    let mut wire = Wire::new(dial(edge)?);
    let reply = wire.exchange(request)?;
    if reply.status == 200 {
        return Ok(Connected::Tunnel(wire.into_inner()));
    }
    Ok(Connected::Refused(reply))
}

/// `Proxy-Authorization: Bearer SESSION`
pub fn bearer(session: &str) -> String {
    format!("Proxy-Authorization: Bearer {session}")
}

/// `Proxy-Authorization: Basic base64(user:SESSION)`, as from `http://user:SESSION@edge`.
pub fn basic(user: &str, session: &str) -> String {
    format!("Proxy-Authorization: Basic {}", STANDARD.encode(format!("{user}:{session}")))
}

impl Connected {
    /// The tunnel.
    ///
    /// # Errors
    /// The CONNECT was refused.
    pub fn tunnel(self) -> Result<TcpStream> {
        match self {
            Self::Tunnel(stream) => Ok(stream),
            Self::Refused(reply) => bail!("CONNECT refused: {} {:?}", reply.status, reply.reason()),
        }
    }

    /// The refusal.
    ///
    /// # Errors
    /// The tunnel is open.
    pub fn refused(self) -> Result<Reply> {
        match self {
            Self::Tunnel(_) => bail!("the tunnel is open"),
            Self::Refused(reply) => Ok(reply),
        }
    }
}

// === TLS ===

/// TLS to the server name `sni` (none for `None`, which is verified as no name either, so only the
/// edge's own refusal can be seen), trusting `ca` and nothing else.
///
/// # Errors
/// The handshake fails.
pub fn tls(stream: TcpStream, ca: &Path, sni: Option<&str>, alpn: &str) -> Result<Tls> {
    let name = sni.unwrap_or("no.sni.test").to_owned();
    let mut config = trusting(ca, alpn)?;
    config.enable_sni = sni.is_some();
    let name = ServerName::try_from(name).context("a server name")?;
    let mut connection = ClientConnection::new(Arc::new(config), name).context("TLS")?;
    let mut stream = stream;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).context("the TLS handshake")?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// A client configuration that trusts `ca` and offers `alpn`.
///
/// # Errors
/// There is no certificate in the file.
pub fn trusting(ca: &Path, alpn: &str) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).context("the guests' CA")? {
        roots.add(certificate.context("the guests' CA")?).context("the guests' CA")?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS versions")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Ok(config)
}
