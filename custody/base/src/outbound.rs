//! Calls to other services: the one place that builds HTTP clients.
//!
//! A client trusts a CA file or the system's store, follows no redirect (it would carry a token to any host
//! that an answer names), asks no proxy out of the environment, waits a bounded time for a bounded answer,
//! and keeps the answer in memory that is wiped. Its faults never hold a URL, a header or a body: they go to
//! logs.

mod call;
mod client;
mod endpoint;
mod json;
mod renewed;
mod tls;

pub use call::Call;
pub use client::Outbound;
pub use endpoint::{Endpoint, EndpointFault};
pub use json::{optional_secret, secret};
pub use reqwest::{Method, StatusCode};
pub use tls::config as tls_config;

use crate::tls::TlsFault;
use reqwest::header::HeaderMap;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// How the servers of one section of the configuration are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The CA of their certificates (PEM); `None`: the operating system's CAs.
    pub ca: Option<PathBuf>,
    /// The client certificate, for servers that ask for one.
    pub identity: Option<Identity>,
    /// TCP and TLS together.
    pub connect: Duration,
    /// The whole exchange, to the last byte of the answer.
    pub total: Duration,
    /// The longest answer, in bytes.
    pub body_limit: usize,
}

/// A client certificate and its key, PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub certificate: PathBuf,
    /// Readable by its owner and group alone.
    pub key: PathBuf,
}

/// The client cannot be built. The texts begin with the field.
#[derive(Debug, thiserror::Error)]
pub enum ReachFault {
    #[error(transparent)]
    Pem(#[from] TlsFault),
    #[error("ca: {0}")]
    Ca(String),
    #[error("ca: is not given, and the operating system's own cannot be used: {0}")]
    System(rustls::Error),
    #[error("certificate: does not go with the key: {0}")]
    Pair(rustls::Error),
    #[error("{0}")]
    Client(String),
}

/// The answer, of any status.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
}

/// No answer that could be used. The texts hold nothing of the call or the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    #[error("it did not answer in time")]
    TimedOut,
    #[error("cannot connect: {0}")]
    Unreachable(String),
    #[error("the exchange broke off: {0}")]
    Broken(String),
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
    #[error(
        "its answer is not the JSON that was expected ({category}, line {line} column {column})"
    )]
    NotJson { category: &'static str, line: usize, column: usize },
    /// A value of ours cannot be sent where it was meant to go; nothing was.
    #[error("the call cannot be made: {0}")]
    Unsendable(&'static str),
}

// === impl Reach ===

impl Default for Reach {
    fn default() -> Self {
        Self {
            ca: None,
            identity: None,
            connect: Duration::from_secs(3),
            total: Duration::from_secs(10),
            body_limit: 1 << 20,
        }
    }
}
