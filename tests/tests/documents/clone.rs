//! What somebody has who has cloned and built the project, in a folder of its own: the source tree, the
//! target folder with the programs that are built, and the tools that the pages ask for.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use stack::built::Built;
use stack::clients::Clients;
use stack::envoy::EnvoyBinary;
use stack::schemas::Schemas;

/// Stands for cargo. What would be built is built already; that a package of that name can be, cargo
/// itself is asked.
const CARGO: &str = r#"#!/bin/sh
set -eu
here=$(dirname "$0")/../leasehold
case "$1" in
xtask) shift; exec "$here/target/debug/xtask" "$@" ;;
build)
  packages=
  while [ $# -gt 0 ]; do [ "$1" = -p ] && packages="$packages -p $2"; shift; done
  exec @CARGO@ tree --manifest-path @ROOT@/Cargo.toml --offline --quiet --depth 0 $packages ;;
*) echo "the tests have no cargo $1" >&2; exit 1 ;;
esac
"#;

/// Stands for kubectl. Nothing is changed in any cluster: secrets are made as far as their files go,
/// and manifests rendered.
const KUBECTL: &str = r#"#!/bin/sh
set -eu
case "$*" in
*create*) exec @KUBECTL@ "$@" --dry-run=client --output=yaml ;;
"apply -k "*) exec @KUBECTL@ kustomize "$3" ;;
"apply -f "*) test -s "$3" ;;
*) echo "the tests have no kubectl $*" >&2; exit 1 ;;
esac
"#;

pub struct Clone {
    folder: tempfile::TempDir,
}

/// Programs of others that the pages call.
pub struct Tools {
    clients: Clients,
    envoy: EnvoyBinary,
    kubectl: PathBuf,
}

// === impl Tools ===

impl Tools {
    /// To be called where there is still a network.
    pub fn fetch() -> Self {
        let say = |line: &str| eprintln!("{line}");
        let clients = Clients::fetch().unwrap();
        let envoy = EnvoyBinary::locate_or_fetch(&say).unwrap();
        Self { clients, envoy, kubectl: Schemas::fetch(&say).unwrap().kubectl }
    }
}

// === impl Clone ===

impl Clone {
    pub fn new() -> Self {
        let clone = Self { folder: tempfile::tempdir().unwrap() };
        let (root, built) = (Built::root(), Built::find().unwrap());
        fs::create_dir(clone.root()).unwrap();
        for entry in root.read_dir().unwrap().map(|entry| entry.unwrap()) {
            let name = entry.file_name();
            if name != "target" && name != ".git" {
                symlink(entry.path(), clone.root().join(name)).unwrap();
            }
        }
        clone.make_target(built.target());
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let Tools { clients, envoy, kubectl } = Tools::fetch();
        let text = CARGO.replace("@CARGO@", &cargo).replace("@ROOT@", root.to_str().unwrap());
        clone.tool("cargo", &text);
        clone.tool("kubectl", &KUBECTL.replace("@KUBECTL@", kubectl.to_str().unwrap()));
        let python = format!("#!/bin/sh\nexec {} \"$@\"\n", clients.python.display());
        clone.tool("python3", &python);
        symlink(envoy.path(), clone.tools().join("envoy")).unwrap();
        symlink(clients.node, clone.tools().join("node")).unwrap();
        clone
    }

    /// The target folder, but for what is written there while programs run.
    fn make_target(&self, target: &Path) {
        let (own, debug) = (self.root().join("target"), self.root().join("target/debug"));
        fs::create_dir_all(&debug).unwrap();
        for name in ["wasm32-wasip1", "envoy"] {
            symlink(target.join(name), own.join(name)).unwrap();
        }
        for name in ["custody", "leaf-ca", "session-jwt", "host-sim"] {
            symlink(target.join("debug").join(name), debug.join(name)).unwrap();
        }
        symlink("debug", own.join("release")).unwrap();
        // By where it lies itself, it finds the others.
        fs::copy(target.join("debug/xtask"), debug.join("xtask")).unwrap();
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("leasehold")
    }

    /// What comes first in the `PATH`.
    pub fn tools(&self) -> PathBuf {
        let tools = self.folder.path().join("tools");
        fs::create_dir_all(&tools).unwrap();
        tools
    }

    fn tool(&self, name: &str, script: &str) {
        let path = self.tools().join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
}
