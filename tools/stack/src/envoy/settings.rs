//! What differs from one start of the edge to another. Everything else stands in the shipped
//! `envoy/*.yaml`.

use std::net::SocketAddr;
use std::path::PathBuf;

/// How guests reach the edge, and with it which shipped file is used.
#[derive(Clone, Debug)]
pub enum Posture {
    /// `envoy/explicit.yaml`: CONNECT proxy that decrypts, with leaves from leaf-ca.
    Explicit {
        /// Where leaf-ca serves SDS.
        leaf_ca: LeafCaLink,
    },
    /// `envoy/gateway.yaml`: a plain API base URL.
    Gateway,
}

/// Where Envoy asks leaf-ca for leaves.
#[derive(Clone, Debug)]
pub enum LeafCaLink {
    /// A Unix socket.
    Pipe(PathBuf),
    /// A loopback TCP port.
    Tcp(SocketAddr),
}

/// Where Envoy asks custody for leases.
#[derive(Clone, Debug)]
pub struct CustodyLink {
    /// Custody's edge listener.
    pub address: SocketAddr,
    /// `None` only for custody's `plaintext: loopback-only-i-know`.
    pub tls: Option<MutualTls>,
}

/// The edge's side of the mTLS towards custody.
#[derive(Clone, Debug)]
pub struct MutualTls {
    /// The CA that signed custody's server certificate (PEM).
    pub server_ca: PathBuf,
    /// The DNS name that certificate must carry, `custody.internal` in the shipped file.
    pub server_name: String,
    /// The edge's client certificate (PEM).
    pub certificate: PathBuf,
    /// Its key (PEM).
    pub key: PathBuf,
    /// The folder of the files in which Envoy finds all this: `envoy/sds/*.yaml` as shipped, with these
    /// paths put in.
    pub secrets: PathBuf,
}

/// What Envoy knows of custody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CustodyCluster {
    /// As shipped.
    #[default]
    Shipped,
    /// The cluster without an endpoint: nobody healthy to call.
    Empty,
    /// No such cluster.
    Absent,
}

/// What is put into the shipped configuration before Envoy gets it.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// Which file, and what only that file needs.
    pub posture: Posture,
    /// Where guests connect to; port 0 takes a free one (see [`super::Envoy::listen_address`]).
    pub listen: SocketAddr,
    /// Envoy's admin interface; port 0 takes a free one.
    pub admin: SocketAddr,
    /// The wasm module.
    pub filter: PathBuf,
    /// The plugin configuration: one JSON object, as the filter reads it.
    pub plugin: serde_json::Value,
    /// Custody; `None` is a custody that nobody answers for.
    pub custody: Option<CustodyLink>,
    /// Its cluster.
    pub custody_cluster: CustodyCluster,
    /// Where the issuer's keys are fetched: adds the cluster of `envoy/fragments/issuer.yaml`.
    pub issuer: Option<SocketAddr>,
    /// With `envoy/variants/retry.yaml`: a request whose credential was refused is tried again.
    pub retry: bool,
    /// Where every destination leads, whatever its name and port, with the certificate checked for
    /// the name as ever; `None`: where its name resolves to.
    pub destinations: Option<SocketAddr>,
    /// The DNS server that resolves destinations; `None` uses the machine's.
    pub resolver: Option<SocketAddr>,
    /// The roots upstream certificates must chain to (PEM bundle).
    pub upstream_ca: PathBuf,
    /// Where the JSON access log goes; `None` is Envoy's standard output.
    pub access_log: Option<PathBuf>,
    /// Takes the refusal of loopback, private and link-local upstream addresses out: on one
    /// machine every origin is on loopback.
    pub private_upstreams: bool,
}
