//! An OpenBao server: configured, initialised, unsealed, called.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::BaoBinary;
use super::api::Api;
use crate::authority::Authority;
use crate::child::Running;
use crate::folder::own;
use crate::ports;

/// A start takes less than two seconds; beside a whole test run, several.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a server keeps what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory: up soonest (under half a second), and gone with the server.
    Memory,
    /// On disk (raft, a cluster of one; OpenBao 2.7 has no plain files any more): survives
    /// [`OpenBao::restart`]. Takes a second longer, for the cluster's one member to be elected.
    Disk,
}

/// A token that may do everything. No `Debug` and no `Display`, so that it gets into no log.
pub struct RootToken(String);

/// A running server; dropping it kills it, and so does the death of this process.
pub struct OpenBao {
    running: Option<Running>,
    binary: BaoBinary,
    folder: PathBuf,
    address: SocketAddr,
    storage: Storage,
    api: Api,
    root_token: RootToken,
    unseal_key: String,
}

// === impl RootToken ===

impl RootToken {
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

// === impl OpenBao ===

impl OpenBao {
    /// Starts a server in a new folder `openbao` in `folder`. It is initialised and unsealed, has an
    /// audit device, and nothing else mounted than what a new OpenBao has.
    ///
    /// # Errors
    /// OpenBao cannot be had, or does not come up; with the end of its log.
    pub fn start(folder: &Path, storage: Storage) -> Result<Self> {
        let binary = BaoBinary::locate_or_fetch(&|line| eprintln!("{line}"))?;
        let folder = own(folder, "openbao")?;
        let address = ports::free(ports::address()).context("a port for OpenBao")?;
        let ca = certify(&folder, address)?;
        let api = Api::new(address, &ca)?;
        configure(&folder, address, storage)?;
        let mut running = launch(&binary, &folder)?;
        wait_for_answers(&mut running, &api)?;
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let (status, keys) = api.call("POST", "sys/init", None, Some(&shares))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (Some(unseal_key), Some(token)) =
            (text(&keys["keys_base64"][0]), text(&keys["root_token"]))
        else {
            bail!("OpenBao was not initialised ({status}): {}\n{}", keys["errors"], running.tail());
        };
        let root_token = RootToken(token);
        let running = Some(running);
        let mut server =
            Self { running, binary, folder, address, storage, api, root_token, unseal_key };
        server.unseal()?;
        Ok(server)
    }

    /// Its URL: `https://127.…:PORT`. The certificate is valid for this address and `localhost`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CA certificate (PEM) that a client has to trust.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    #[must_use]
    pub fn root_token(&self) -> &RootToken {
        &self.root_token
    }

    /// The file its audit device writes, a line of JSON for a request and one for the answer.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// What was audited so far.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn audited(&self) -> Result<String> {
        let log = self.audit_log();
        fs::read_to_string(&log).with_context(|| log.display().to_string())
    }

    /// The server's own log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("openbao.log")
    }

    #[must_use]
    pub fn binary(&self) -> &BaoBinary {
        &self.binary
    }

    /// Calls `path`, which is without `/v1/`; the status, and `null` where it answers nothing.
    ///
    /// # Errors
    /// No answer, or one that is no JSON. A status is never an error.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        self.api.call(method, path, token, body)
    }

    /// Calls as root, for setting up: what is refused is an error with OpenBao's complaint.
    ///
    /// # Errors
    /// As [`OpenBao::call`], and every status that is no success.
    pub fn root(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = Some(body).filter(|body| !body.is_null());
        let (status, answer) = self.call(method, path, Some(self.root_token.expose()), body)?;
        if !(200..300).contains(&status) {
            bail!("{method} {path} of OpenBao: {status} {}", answer["errors"]);
        }
        Ok(answer)
    }

    /// Seals it: it keeps running and answers 503 to everything but its health.
    ///
    /// # Errors
    /// It is not running.
    pub fn seal(&self) -> Result<()> {
        self.root("POST", "sys/seal", &Value::Null).map(|_| ())
    }

    /// Unseals it and waits until it serves.
    ///
    /// # Errors
    /// It is not running, or does not serve in time.
    pub fn unseal(&mut self) -> Result<()> {
        let key = json!({"key": self.unseal_key});
        let (status, answer) = self.api.call("POST", "sys/unseal", None, Some(&key))?;
        if status != 200 {
            bail!("OpenBao was not unsealed ({status}): {}", answer["errors"]);
        }
        let running = self.running.as_mut().context("OpenBao is not running")?;
        let health = || self.api.call("GET", "sys/health", None, None);
        running.wait_until("unsealed", PATIENCE, || health().is_ok_and(|(status, _)| status == 200))
    }

    /// Ends it in an orderly way.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        drop(self.running.take());
    }

    /// Starts it again on the same port with what it had stored, and unseals it. Stops it first if
    /// it runs.
    ///
    /// # Errors
    /// It keeps its storage in memory, or does not come up.
    pub fn restart(&mut self) -> Result<()> {
        if self.storage == Storage::Memory {
            bail!("this OpenBao keeps its storage in memory; start it with Storage::Disk");
        }
        self.stop();
        let running = self.running.insert(launch(&self.binary, &self.folder)?);
        wait_for_answers(running, &self.api)?;
        self.unseal()
    }
}

/// Writes a certificate for `address` into `folder`; its CA, PEM.
fn certify(folder: &Path, address: SocketAddr) -> Result<String> {
    let authority = Authority::new("leasehold test OpenBao CA")?;
    let names = [address.ip().to_string(), "localhost".to_owned()];
    let [certificate, key] = authority.identity(&names)?;
    let ca = authority.pem();
    for (name, text) in [("ca.pem", &ca), ("server.pem", &certificate), ("server.key", &key)] {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(ca)
}

/// Audit devices stand in the file: OpenBao 2.7 takes none over its API.
fn configure(folder: &Path, address: SocketAddr, storage: Storage) -> Result<()> {
    let cluster = ports::free(address.ip()).context("a port for OpenBao's cluster")?;
    let file = |name: &str| folder.join(name).display().to_string();
    let storage = match storage {
        Storage::Memory => json!({"inmem": {}}),
        Storage::Disk => {
            let data = folder.join("data");
            fs::create_dir(&data).with_context(|| format!("making {}", data.display()))?;
            // The lowest multiplier of raft's time limits: an election takes one second, not five.
            json!({"raft": {"path": data, "node_id": "one", "performance_multiplier": 1}})
        }
    };
    let configuration = json!({
        "storage": storage,
        "listener": {"tcp": {
            "address": address.to_string(),
            "cluster_address": cluster.to_string(),
            "tls_cert_file": file("server.pem"),
            "tls_key_file": file("server.key"),
        }},
        "api_addr": format!("https://{address}"),
        "cluster_addr": format!("https://{cluster}"),
        "audit": [{
            "type": "file",
            "path": "file",
            "options": {"file_path": file("audit.log")},
        }],
    });
    let path = folder.join("openbao.json");
    fs::write(&path, configuration.to_string())
        .with_context(|| format!("writing {}", path.display()))
}

fn launch(binary: &BaoBinary, folder: &Path) -> Result<Running> {
    let mut command = Command::new(binary.path());
    command.arg("server").arg("-config").arg(folder.join("openbao.json"));
    Running::start("openbao", &command, &folder.join("openbao.log"))
}

fn wait_for_answers(running: &mut Running, api: &Api) -> Result<()> {
    running.wait_until("answering", PATIENCE, || {
        api.call("GET", "sys/seal-status", None, None).is_ok()
    })
}
