//! `custody init`

use super::stdout;
use crate::init::{Wishes, init, next_steps};
use anyhow::Result;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder; made if it is not there. Nothing in it is overwritten.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// `iss` of the Session JWTs.
    #[arg(long, default_value = "https://control-plane.example")]
    issuer: String,
    /// `aud` of the Session JWTs.
    #[arg(long, default_value = "leasehold-edge")]
    audience: String,
    /// The control plane's public keys (a JWKS file), to be copied.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Where the edge will ask for leases.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    edge_listen: SocketAddr,
    /// Where operators will call, with their certificate.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8445")]
    admin_listen: SocketAddr,
    /// Where health and metrics will be, plain HTTP.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8444")]
    health_listen: SocketAddr,
    /// A further DNS name or IP address for the server certificate; may be repeated. It has
    /// custody.internal, custody, localhost and the loopback addresses.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Arguments {
        folder,
        issuer,
        audience,
        jwks,
        edge_listen,
        admin_listen,
        health_listen,
        names,
    } = arguments;
    let wishes =
        Wishes { folder, issuer, audience, jwks, edge_listen, admin_listen, health_listen, names };
    let config = init(&wishes)?;
    stdout::print(next_steps(&wishes, &config).trim_end())
}
