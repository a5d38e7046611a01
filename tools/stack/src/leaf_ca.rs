//! Launches leaf-ca: its authority, and the service that Envoy asks for leaves.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::built::Built;
use crate::child::{self, Running};
use crate::folder::Folder;

/// How long it may take to be ready on a machine that is busy with other tests.
const READY: Duration = Duration::from_secs(30);

/// A running leaf-ca.
pub struct LeafCa {
    address: SocketAddr,
    certificate: PathBuf,
    _running: Running,
}

// === impl LeafCa ===

impl LeafCa {
    /// Makes an authority in `folder` unless there is one, and serves the names of `policy`. `refused_names`: of
    /// names outside it that get a leaf too.
    ///
    /// # Errors
    /// The program is not built, or does not come up; with the end of its log.
    pub fn start(
        built: &Built,
        folder: &Folder,
        policy: &Path,
        refused_names: u16,
    ) -> Result<Self> {
        let program = built.program("leaf-ca")?;
        let authority = folder.folder("leaf-ca")?;
        let certificate = authority.join("ca.pem");
        if !certificate.is_file() {
            child::run(Command::new(&program).arg("init").arg(&authority), "")?;
        }
        let log = folder.log("leaf-ca");
        // It says where it listens in its log, which must not hold an earlier answer.
        let _ = fs::remove_file(&log);
        let mut command = Command::new(&program);
        command.arg("serve").arg("--ca").arg(&authority).arg("--policy").arg(policy);
        command.args(["--listen", "127.0.0.1:0"]);
        command.args(["--max-refused-names", &refused_names.to_string()]);
        let mut running = Running::start("leaf-ca", &command, &log)?;
        let mut address = None;
        running.wait_until("serving", READY, || {
            address = listening(&log);
            address.is_some()
        })?;
        let address = address.context("leaf-ca did not say where it listens")?;
        Ok(Self { address, certificate, _running: running })
    }

    /// Where it serves SDS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CA certificate: all a guest is given.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }
}

/// The address behind `listening on`, once its line is whole.
fn listening(log: &Path) -> Option<SocketAddr> {
    let log = fs::read_to_string(log).ok()?;
    let (_, rest) = log.split_once("listening on ")?;
    let (address, _) = rest.split_once('\n')?;
    address.parse().ok()
}
