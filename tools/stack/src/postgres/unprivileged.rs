//! PostgreSQL refuses to run as root. Where we are root (in a container), it runs as the user `nobody` with one
//! of root's capabilities: to walk through folders that are closed to that user, as the target folder may be.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::geteuid;

/// The user `nobody` has this number on every Linux, and its group too.
const NOBODY: u32 = 65_534;

/// `program`, not as root.
pub(super) fn command(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
    command.args(["--clear-groups", "--inh-caps=+dac_override"]);
    // The last for access(2), by which PostgreSQL looks for its own programs: it would otherwise
    // forget the power.
    command.args(["--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]);
    command.arg(program);
    command
}

/// Makes a folder that belongs to whom such a program runs as.
pub(super) fn folder(path: &Path) -> Result<()> {
    fs::create_dir(path).with_context(|| format!("making {}", path.display()))?;
    if geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY))
            .with_context(|| format!("giving {} to nobody", path.display()))?;
    }
    Ok(())
}
