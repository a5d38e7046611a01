//! Where the database is, and connections to it.

use super::call::LIMIT;
use super::fault::{ConnectFault, down};
use crate::LedgerFault;
use custody_base::outbound::{Reach, tls_config};
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The database, the user, and the CA of its certificate.
///
/// `Debug` does not show the password.
#[derive(Clone, Debug)]
pub struct PostgresPlace {
    config: Config,
    /// The CA of the server's certificate (PEM); `None`: those that the operating system trusts.
    pub ca: Option<PathBuf>,
    /// The most connections at once, besides one that listens and two for the edges' feed.
    pub connections: usize,
}

/// The text is no URL of a database we would connect to. It may hold a password, so none of it is
/// repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    #[error("is a URL: postgres://USER@HOST:PORT/DATABASE")]
    Scheme,
    #[error(
        "does not read as the URL of a PostgreSQL database, or has a parameter that custody does not support"
    )]
    Malformed,
    #[error("names no host")]
    Host,
    #[error(
        "sslmode is verify-full (which is the default), or disable on loopback; anything else \
         would not verify the server"
    )]
    SslMode,
}

/// Makes connections.
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
}

type TlsStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// TCP, TLS and the greeting.
const CONNECT: Duration = Duration::from_secs(3);
/// The first statements of every connection. Statements end before custody's own limit, a transaction
/// of a custody that died releases its locks, and a commit is durable even if the database's default
/// differs.
const GREETING: &str = "SET statement_timeout = '4s'; SET lock_timeout = '4s';
    SET idle_in_transaction_session_timeout = '5s';
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";

// === impl PostgresPlace ===

impl PostgresPlace {
    pub const CONNECTIONS: usize = 16;

    /// Reads a URL, with or without a password in it.
    ///
    /// # Errors
    /// It is not such a URL, or would connect to a server that does not prove its identity.
    pub fn parse(url: &str) -> Result<Self, UrlFault> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(UrlFault::Scheme);
        }
        let (url, mode) = without_ssl_mode(url)?;
        let mut config: Config = url.parse().map_err(|_| UrlFault::Malformed)?;
        if config.get_hosts().is_empty() {
            return Err(UrlFault::Host);
        }
        match mode.as_deref() {
            None | Some("verify-full") => config.ssl_mode(SslMode::Require),
            Some("disable") if is_local(&config) => config.ssl_mode(SslMode::Disable),
            Some(_) => return Err(UrlFault::SslMode),
        };
        config.application_name("leasehold-custody").connect_timeout(CONNECT);
        config.keepalives_idle(Duration::from_secs(10)).tcp_user_timeout(LIMIT);
        // Of several hosts the one that can be written to.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self { config, ca: None, connections: Self::CONNECTIONS })
    }

    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    pub fn set_password(&mut self, password: &[u8]) {
        self.config.password(password);
    }
}

/// The crate below does not support `verify-full`, and its `prefer` and `require` are weaker than
/// elsewhere. So custody reads the parameter itself.
fn without_ssl_mode(url: &str) -> Result<(String, Option<String>), UrlFault> {
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let (ours, rest): (Vec<_>, Vec<_>) =
        query.split('&').partition(|pair| pair.starts_with("sslmode="));
    let mode = match ours.as_slice() {
        [] => None,
        [one] => one.strip_prefix("sslmode=").map(str::to_owned),
        _ => return Err(UrlFault::SslMode),
    };
    let mark = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{base}{mark}{}", rest.join("&")), mode))
}

/// Whether no byte leaves the machine. A `hostaddr` would be where the bytes really go.
fn is_local(config: &Config) -> bool {
    let local = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(local)
        && config.get_hostaddrs().iter().all(|address| address.is_loopback())
}

// === impl Connector ===

impl Connector {
    pub(super) fn new(place: &PostgresPlace) -> Result<Self, ConnectFault> {
        let mut tls = tls_config(&Reach { ca: place.ca.clone(), ..Reach::default() })?;
        tls.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self { config: place.config.clone(), tls: MakeRustlsConnect::new(tls) })
    }

    /// A connection of one's own; the second half has to be polled.
    pub(super) async fn connect(
        &self,
    ) -> Result<(Client, Connection<Socket, TlsStream>), LedgerFault> {
        let connecting = self.config.connect(self.tls.clone());
        match tokio::time::timeout(LIMIT, connecting).await {
            Ok(connected) => connected.map_err(|error| down(&error)),
            Err(_) => Err(LedgerFault::Down("the database did not answer in time".into())),
        }
    }

    pub(super) fn pool(&self, connections: usize) -> Result<Pool, LedgerFault> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config.clone(), self.tls.clone(), recycling);
        let greet = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(
                async move { client.batch_execute(GREETING).await.map_err(HookError::Backend) },
            )
        });
        Pool::builder(manager)
            .max_size(connections)
            .post_create(greet)
            .build()
            .map_err(|error| LedgerFault::Down(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_proves_who_it_is_or_is_this_machine() {
        for (url, fault) in [
            ("postgres://u@db.internal/c", None),
            ("postgresql://u:p@db.internal:5433/c?sslmode=verify-full", None),
            ("postgres://u@a.internal,b.internal/c?sslmode=verify-full", None),
            ("postgres://u@127.0.0.1/c?sslmode=disable", None),
            ("postgres://u@localhost/c?application_name=x&sslmode=disable", None),
            ("postgres://u@[::1]/c?sslmode=disable", None),
            ("postgres://u@db.internal/c?sslmode=disable", Some(UrlFault::SslMode)),
            ("postgres://u@localhost,db.internal/c?sslmode=disable", Some(UrlFault::SslMode)),
            ("postgres://u@localhost/c?hostaddr=10.0.0.1&sslmode=disable", Some(UrlFault::SslMode)),
            ("postgres://u@127.0.0.1/c?sslmode=prefer", Some(UrlFault::SslMode)),
            ("postgres://u@127.0.0.1/c?sslmode=require", Some(UrlFault::SslMode)),
            ("postgres://u@h/c?sslmode=verify-full&sslmode=disable", Some(UrlFault::SslMode)),
            ("postgres://u@h/c?sslrootcert=ca.pem", Some(UrlFault::Malformed)),
            ("postgres://u@h:99999/c", Some(UrlFault::Malformed)),
            ("postgres:///c", Some(UrlFault::Host)),
            ("host=db.internal", Some(UrlFault::Scheme)),
            ("mysql://u@h/c", Some(UrlFault::Scheme)),
        ] {
            assert_eq!(PostgresPlace::parse(url).err(), fault, "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let mut place = PostgresPlace::parse("postgres://u:canary-1@h/c").unwrap();
        assert!(place.has_password() && !format!("{place:?}").contains("canary"));
        place.set_password(b"canary-2");
        assert!(!format!("{place:?}").contains("canary"));
        assert!(!PostgresPlace::parse("postgres://u@h/c").unwrap().has_password());
    }
}
