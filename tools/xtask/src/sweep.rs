//! The fault sweep of host-sim's tests, in numbers: they leave them in `target/sweep`, a file a sweep.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use stack::built::Built;

/// All sweeps together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// A simulation each, with one fault in it.
    runs: usize,
    wrong: usize,
}

/// Removes what an earlier run left.
///
/// # Errors
/// It cannot be removed.
pub fn forget() -> Result<()> {
    let folder = folder()?;
    if folder.is_dir() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

/// What the sweeps came to; `None` if none of them ran.
///
/// # Errors
/// What they left cannot be read.
pub fn summary() -> Result<Option<Sweep>> {
    let Ok(entries) = fs::read_dir(folder()?) else { return Ok(None) };
    let mut sweep = Sweep::default();
    for entry in entries {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        sweep.add(&text).with_context(|| format!("{} is not a count", path.display()))?;
    }
    Ok((sweep.runs > 0).then_some(sweep))
}

fn folder() -> Result<PathBuf> {
    Ok(Built::find()?.target().join("sweep"))
}

// === impl Sweep ===

impl Sweep {
    /// `RUNS WRONG`
    fn add(&mut self, text: &str) -> Option<()> {
        let (runs, wrong) = text.trim().split_once(' ')?;
        self.runs += runs.parse::<usize>().ok()?;
        self.wrong += wrong.parse::<usize>().ok()?;
        Some(())
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} runs, {} wrong", self.runs, self.wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let mut sweep = Sweep::default();
        assert_eq!(sweep.add("7200 0\n"), Some(()));
        assert_eq!(sweep.add("12 1\n"), Some(()));
        assert_eq!(sweep.to_string(), "7212 runs, 1 wrong");
        assert_eq!(sweep.add("many"), None);
    }
}
