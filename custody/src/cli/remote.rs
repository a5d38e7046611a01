//! Asking a running custody, as an operator.

use super::failure::{Unreachable, Usage};
use crate::api::refusal::Refused;
use crate::config::Config;
use anyhow::{Context, Result, bail};
use clap::Args;
use custody_base::outbound::{Call, CallFault, Endpoint, Identity, Method, Outbound, Reach};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where custody is, and who asks.
#[derive(Debug, Args)]
pub struct RemoteArguments {
    /// Custody's admin listener. Default: admin.listen of the configuration.
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// The operator's certificate. Default: operator.pem beside the configuration.
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Its key. Default: operator.key beside the configuration.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The CA of custody's own certificate. Default: ca.pem beside the configuration.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The configuration file; with --admin only its folder counts.
    #[arg(long, short, value_name = "FILE", default_value = "custody.yaml")]
    config: PathBuf,
    /// As JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// A custody that can be asked.
pub struct Remote {
    endpoint: Endpoint,
    outbound: Outbound,
    json: bool,
}

// === impl RemoteArguments ===

impl RemoteArguments {
    /// Reads what is needed, and calls nobody yet.
    ///
    /// # Errors
    /// The configuration or a file does not read.
    pub fn remote(&self) -> Result<Remote> {
        let beside = |given: &Option<PathBuf>, name: &str| {
            given.clone().unwrap_or_else(|| self.config.with_file_name(name))
        };
        let url = match &self.admin {
            Some(url) => url.clone(),
            None => format!("https://{}", reachable(admin_of(&self.config)?)),
        };
        let endpoint =
            Endpoint::parse(&url).map_err(|fault| Usage(format!("--admin {url}: {fault}")))?;
        let identity = Identity {
            certificate: beside(&self.cert, "operator.pem"),
            key: beside(&self.key, "operator.key"),
        };
        let reach = Reach {
            ca: Some(beside(&self.ca, "ca.pem")),
            identity: Some(identity),
            ..Reach::default()
        };
        let outbound = reach.client().context("--cert, --key, --ca")?;
        Ok(Remote { endpoint, outbound, json: self.json })
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Shall the answer be printed as JSON?
    pub fn json(&self) -> bool {
        self.json
    }

    /// For a command that is not about a running custody after all.
    ///
    /// # Errors
    /// One was named: wrong usage.
    pub fn refuse_admin(&self, why: &str) -> Result<()> {
        match &self.admin {
            None => Ok(()),
            Some(_) => Err(Usage(format!("--admin {why}")).into()),
        }
    }
}

fn admin_of(config: &Path) -> Result<SocketAddr> {
    let listener =
        Config::load_admin(config).context("name custody with --admin URL, or --config FILE")?;
    Ok(listener.listen)
}

/// A listener on every address is reached on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

// === impl Remote ===

impl Remote {
    /// Shall the answer be printed as JSON?
    pub fn json(&self) -> bool {
        self.json
    }

    pub fn get<T: DeserializeOwned + Serialize>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T> {
        let mut endpoint = self.endpoint.below(path.iter().copied());
        if !query.is_empty() {
            endpoint = endpoint.with_query(query);
        }
        self.call(Call::get(&endpoint))
    }

    pub fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<T> {
        let call = Call::new(method, &self.endpoint.below(path.iter().copied()));
        let call = match body {
            Some(body) => call.json(body)?,
            None => call,
        };
        self.call(call)
    }

    fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let answer = runtime.block_on(self.outbound.send(call));
        let answer = answer.map_err(|fault| self.unreachable(&fault))?;
        if !answer.status.is_success() {
            let status = answer.status;
            match serde_json::from_slice::<Refused>(&answer.body) {
                Ok(Refused { code, detail }) => bail!("{detail} ({code})"),
                Err(_) => bail!(
                    "{} answers {status}; is that custody's admin listener?",
                    self.endpoint.as_str()
                ),
            }
        }
        serde_json::from_slice(&answer.body).with_context(|| {
            format!(
                "{}: the answer does not read; is that custody, of this version?",
                self.endpoint.as_str()
            )
        })
    }

    fn unreachable(&self, fault: &CallFault) -> anyhow::Error {
        let at = self.endpoint.as_str();
        let hint = match fault {
            CallFault::Unreachable(_) | CallFault::TimedOut => {
                "is custody running (custody serve), and is this its admin.listen?"
            }
            _ => "custody takes certificates of admin.tls.client_ca only; see --cert and --key",
        };
        Unreachable(format!("{at}: {fault}; {hint}")).into()
    }
}
