//! `cargo xtask suffix-list`: the public suffix list that the filter and custody embed. Wildcards are judged by
//! it, so an old list lets a policy give a credential to whoever rents a name below a newer suffix.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;
use stack::built::Built;

use crate::cargo::cargo;

/// From the root of the source tree.
const LIST: &str = "lease/public-suffixes.txt";
const WRITER: &str = "lease/public-suffixes.py";
/// The package that carries the list, as it is today: this is the one thing that is not pinned.
const PACKAGE: &str = "publicsuffixlist";
/// Days after which the list is old.
const OLD: u64 = 183;
const FIX: &str = "fix: cargo xtask suffix-list, and commit what it writes";

#[derive(Args)]
pub struct SuffixList {
    /// Changes nothing; fails if the list is older than half a year
    #[arg(long)]
    check: bool,
}

// === impl SuffixList ===

impl SuffixList {
    pub fn run(&self) -> Result<ExitCode> {
        if !self.check {
            return refresh();
        }
        if let Some(old) = old()? {
            bail!("{old}");
        }
        println!("{LIST}: {} days old", age(&text()?)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// What to say of a list that is old.
///
/// # Errors
/// The list does not say of when it is.
pub fn old() -> Result<Option<String>> {
    let days = age(&text()?)?;
    Ok((days > OLD).then(|| format!("the public suffix list is {days} days old; {FIX}")))
}

/// Writes the newest list, shows what is new, and has every rule of it judged.
fn refresh() -> Result<ExitCode> {
    let before = text()?;
    let folder = Built::find()?.target().join("suffix-list");
    let venv = folder.join("venv");
    fs::create_dir_all(&folder)?;
    done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let python = venv.join("bin/python");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    done(pip.args(["--only-binary=:all:", "--no-deps", PACKAGE]))?;
    let place = "import os, publicsuffixlist as list; print(os.path.dirname(list.__file__))";
    let place = Command::new(&python).args(["-c", place]).output()?.stdout;
    let place = String::from_utf8(place)?;
    let list = Path::new(place.trim()).join("public_suffix_list.dat");
    let list = File::open(&list).with_context(|| list.display().to_string())?;
    done(Command::new("python3").arg(Built::root().join(WRITER)).stdin(list))?;
    let after = text()?;
    if age(&after)? > age(&before)? {
        fs::write(Built::root().join(LIST), before)?;
        bail!("the package {PACKAGE} has an older list; {LIST} is as it was");
    }
    show(&before, &after);
    println!("\nwhat the filter, custody and leaf-ca say of every rule:");
    let mut judges = cargo(&["test", "--quiet"]);
    judges.args(["--test", "public_suffixes"]);
    let status = judges.status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A new rule refuses wildcards that policies may have.
fn show(before: &str, after: &str) {
    let (before, after) = (rules(before), rules(after));
    for (mark, rules) in [("+", after.difference(&before)), ("-", before.difference(&after))] {
        rules.for_each(|rule| println!("{mark} {rule}"));
    }
}

fn rules(list: &str) -> BTreeSet<&str> {
    list.lines().filter(|line| !line.starts_with('#')).collect()
}

fn text() -> Result<String> {
    fs::read_to_string(Built::root().join(LIST)).with_context(|| LIST.to_owned())
}

fn done(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

/// Days since the list's version, `version YYYY-MM-DD_...`.
fn age(list: &str) -> Result<u64> {
    let days = version(list).with_context(|| format!("{LIST}: has no version with a date"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / (24 * 3600);
    Ok(now.saturating_sub(days))
}

/// The day of the version, counted from 1970.
fn version(list: &str) -> Option<u64> {
    let (_, version) = list.split_once(", version ")?;
    let (date, _) = version.split_once('_')?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..3000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // A year that begins in March has its leap day last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400;
    (days + (153 * month + 2) / 5 + day - 1).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_of_which_day_it_is() {
        let day = |date: &str| version(&format!("# The list, version {date}_08-36-41_UTC:\n"));
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2000-02-29"), Some(11_016));
        assert_eq!(day("2000-03-01"), Some(11_017));
        assert_eq!(day("2026-10-22"), Some(20_748));
        for date in ["unknown", "2026-10", "2026-13-01", "2026-00-10", "a-b-c"] {
            assert_eq!(day(date), None, "{date}");
        }
        let error = age("# no version").unwrap_err().to_string();
        assert!(error.ends_with("has no version with a date"), "{error}");
    }
}
