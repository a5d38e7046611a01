//! Programs out of Debian packages, unpacked into a folder: nobody has to be root, nothing is
//! installed. apt is told to keep all it knows in that folder, so it needs no earlier `apt-get
//! update` and leaves the machine's lists of packages alone. It takes the packages from where the machine
//! takes its own, and checks their signatures as always.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{OnProgress, folder, on_path, once, step};

/// Programs and libraries below one folder, laid out as in `/`.
#[derive(Clone, Debug)]
pub(crate) struct Unpacked {
    root: PathBuf,
}

/// A program of a Debian package.
#[derive(Clone, Debug)]
pub(crate) struct Packaged {
    path: PathBuf,
    /// `LD_LIBRARY_PATH`, where the libraries were fetched too.
    libraries: Option<OsString>,
}

/// apt, with its state in a folder of ours.
struct Apt {
    folder: PathBuf,
    log: PathBuf,
}

// === impl Unpacked ===

impl Unpacked {
    /// `package` in `folder`, fetched unless it is there, with every library its programs need.
    ///
    /// # Errors
    /// The machine has no apt, or apt does not know the package.
    pub fn fetch(package: &str, folder: &Path, on_progress: OnProgress) -> Result<Self> {
        let root = folder.join("root");
        once(&root, on_progress, || {
            let apt = Apt::new(folder)?;
            apt.fetch(package, &root, on_progress)?;
            fs::remove_dir_all(&apt.folder).with_context(|| apt.folder.display().to_string())
        })?;
        Ok(Self { root })
    }

    /// `path` below the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// `LD_LIBRARY_PATH` for the programs.
    ///
    /// # Errors
    /// What was unpacked cannot be read.
    pub fn libraries(&self) -> Result<OsString> {
        let mut folders = Vec::new();
        for parent in ["usr/lib", "lib"].map(|parent| self.root.join(parent)) {
            let Ok(entries) = fs::read_dir(&parent) else { continue };
            for entry in entries {
                let entry = entry.with_context(|| parent.display().to_string())?;
                if entry.file_name().to_string_lossy().contains("-linux-") {
                    folders.push(entry.path());
                }
            }
        }
        std::env::join_paths(folders).context("a target folder whose path holds no colon")
    }
}

// === impl Packaged ===

impl Packaged {
    /// The program from the `PATH`, else from `path` in `package`, unpacked once under `target/` (parallel
    /// callers wait for one another).
    ///
    /// # Errors
    /// There is no such program, and no apt to fetch it with.
    pub fn locate_or_fetch(package: &str, path: &str, on_progress: OnProgress) -> Result<Self> {
        let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(path) = on_path(name) {
            return Ok(Self { path, libraries: None });
        }
        let fetch = || {
            let unpacked = Unpacked::fetch(package, &folder(package)?, on_progress)?;
            let libraries = Some(unpacked.libraries()?);
            anyhow::Ok(Self { path: unpacked.path(path), libraries })
        };
        fetch().with_context(|| {
            format!("cannot fetch {package} from Debian's packages; install {name}")
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The program with the libraries it needs, ready for arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.envs(self.environment());
        command
    }

    pub fn environment(&self) -> Option<(&OsStr, &OsStr)> {
        self.libraries.as_deref().map(|libraries| (OsStr::new("LD_LIBRARY_PATH"), libraries))
    }
}

// === impl Apt ===

impl Apt {
    fn new(folder: &Path) -> Result<Self> {
        for program in ["apt-get", "dpkg-deb"] {
            if on_path(program).is_none() {
                bail!("there is no {program} on this machine");
            }
        }
        let apt = Self { folder: folder.join("apt"), log: folder.join("install.log") };
        for state in ["lists/partial", "archives/partial", "packages"] {
            let state = apt.folder.join(state);
            fs::create_dir_all(&state).with_context(|| state.display().to_string())?;
        }
        // No package counts as installed, so that what comes is the same on every machine.
        let status = apt.folder.join("status");
        fs::write(&status, "").with_context(|| status.display().to_string())?;
        Ok(apt)
    }

    fn command(&self) -> Command {
        let mut apt = Command::new("apt-get");
        let ours =
            |option: &str, path: &str| format!("{option}={}", self.folder.join(path).display());
        apt.arg("-qq").arg("-o").arg(ours("Dir::State", "")).arg("-o").arg(ours("Dir::Cache", ""));
        apt.arg("-o").arg(ours("Dir::State::lists", "lists"));
        apt.arg("-o").arg(ours("Dir::State::status", "status"));
        // The locks are those of the machine's package database, which nobody touches here; and
        // root's downloads would otherwise be made by a user who may not write here.
        apt.args(["-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=root"]);
        apt.args(["-o", "APT::Install-Recommends=false"]);
        apt
    }

    fn fetch(&self, package: &str, root: &Path, on_progress: OnProgress) -> Result<()> {
        on_progress("asking apt for its lists of packages");
        // A source of somebody's own that is out of reach is no reason to stop; a package that is
        // missing for it is.
        let update = step(self.command().arg("update"), &self.log, on_progress);
        let complaint = update.unwrap_or_else(|error| format!("{error:#}"));
        let plan =
            step(self.command().args(["install", "--simulate", package]), &self.log, on_progress);
        let plan = plan.with_context(|| format!("apt's lists: {}", complaint.trim_end()))?;
        let names: Vec<_> = planned(&plan).filter(|name| needed(name, package)).collect();
        on_progress(&format!(
            "downloading {package} and {} libraries",
            names.len().saturating_sub(1)
        ));
        let packages = self.folder.join("packages");
        let mut download = self.command();
        step(download.arg("download").args(&names).current_dir(&packages), &self.log, on_progress)?;
        on_progress("unpacking them");
        let part = self.folder.join("root");
        for file in fs::read_dir(&packages).with_context(|| packages.display().to_string())? {
            let file = file.with_context(|| packages.display().to_string())?.path();
            step(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&part), &self.log, on_progress)?;
        }
        // Moving within one file system is atomic: nobody ever sees half of it.
        fs::rename(&part, root).with_context(|| format!("making {}", root.display()))
    }
}

/// The packages of a simulated installation: `Inst libpq5 (15.20-0+deb12u1 ...)`.
fn planned(plan: &str) -> impl Iterator<Item = &str> {
    let lines = plan.lines().filter_map(|line| line.strip_prefix("Inst "));
    lines.filter_map(|line| line.split(' ').next())
}

/// The package itself, what it is a name for (`postgresql` for `postgresql-15`), and libraries: but
/// the C library, which has to be the one of the machine's loader, and what only scripts and
/// PostgreSQL's compiler of queries use, which is large.
fn needed(name: &str, package: &str) -> bool {
    const UNUSED: [&str; 6] = ["libc6", "libc-bin", "libllvm", "libz3", "libperl", "libpython"];
    if name.starts_with(package) {
        return !name.ends_with("-common");
    }
    (name.starts_with("lib") || name == "zlib1g")
        && !name.ends_with("-perl")
        && !UNUSED.iter().any(|unused| name.starts_with(unused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_its_packages() {
        let plan = "NOTE: only a simulation\nInst libpq5 (15.20 Debian:12 [amd64])\n\
                    Inst postgresql-15 (15.20 Debian:12 [amd64])\nConf libpq5 (15.20)\n";
        assert_eq!(planned(plan).collect::<Vec<_>>(), ["libpq5", "postgresql-15"]);
    }

    #[test]
    fn what_the_programs_do_not_load_is_left_out() {
        for (name, expected) in [
            ("postgresql", true),
            ("postgresql-15", true),
            ("postgresql-client-15", true),
            ("postgresql-common", false),
            ("postgresql-client-common", false),
            ("libpq5", true),
            ("libc6", false),
            ("libc-bin", false),
            ("libc-ares2", true),
            ("libcap2", true),
            ("zlib1g", true),
            ("libllvm14", false),
            ("libjson-perl", false),
            ("perl-base", false),
            ("tzdata", false),
        ] {
            assert_eq!(needed(name, "postgresql"), expected, "{name}");
        }
    }
}
