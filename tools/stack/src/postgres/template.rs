//! A cluster of databases that nobody serves: every new one is a copy of it. Copying takes a tenth of
//! the time of `initdb`, and most tests of a server are over sooner than that.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{PostgresPrograms, unprivileged};
use crate::child;
use crate::fetched::{self, once};
use crate::random;

/// The superuser.
pub(super) const USER: &str = "postgres";

/// A cluster in the target folder, with its superuser's password beside it.
pub(super) struct Template {
    folder: PathBuf,
}

// === impl Template ===

impl Template {
    /// That of this version of PostgreSQL; made unless it is there (parallel callers wait for one
    /// another).
    ///
    /// # Errors
    /// `initdb` fails, or the target folder cannot be written.
    pub fn of(programs: &PostgresPrograms) -> Result<Self> {
        let name = format!("cluster-{}", programs.version());
        let template = Self { folder: fetched::folder("postgres")?.join(name) };
        once(&template.folder, &|line| eprintln!("{line}"), || template.make(programs))?;
        Ok(template)
    }

    /// The superuser's password.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn password(&self) -> Result<String> {
        let path = self.folder.join("password");
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// Copies the cluster to `data`, which must not be there.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn copy_to(&self, data: &Path) -> Result<()> {
        let mut copy = Command::new("cp");
        // As it is, owner and all; where the disk can share the blocks, it does.
        copy.args(["--archive", "--reflink=auto", "--no-target-directory"]);
        copy.arg(self.folder.join("data")).arg(data);
        child::run(&mut copy, "").map(drop).context("copying a cluster of databases")
    }

    fn make(&self, programs: &PostgresPrograms) -> Result<()> {
        // What was cut off half-way is no cluster.
        let fresh = self.folder.with_file_name("cluster.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).with_context(|| fresh.display().to_string())?;
        }
        fs::create_dir(&fresh).with_context(|| fresh.display().to_string())?;
        let data = fresh.join("data");
        unprivileged::folder(&data)?;
        let password = write_private(&fresh.join("password"), &random::hex(16)?)?;
        let mut initdb = programs.server("initdb");
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password).current_dir(&data);
        initdb.args(["--username", USER, "--auth=scram-sha-256", "--encoding=UTF8"]);
        // Small files of its log, which are what there is most to copy of.
        initdb.args(["--locale=C", "--wal-segsize=1", "--no-sync", "--no-instructions"]);
        child::run(&mut initdb, "").context("making a cluster of databases")?;
        fs::rename(&fresh, &self.folder).with_context(|| self.folder.display().to_string())
    }
}

/// Writes a file that nobody else may read: PostgreSQL takes no other key.
pub(super) fn write_private(path: &Path, text: &str) -> Result<PathBuf> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(0o600))
        .with_context(|| format!("closing {}", path.display()))?;
    Ok(path.to_owned())
}
