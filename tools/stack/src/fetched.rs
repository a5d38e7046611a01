//! Programs of other people that the tests run for real, fetched into the target folder: as Python
//! packages ([`python`]), as Node's ([`node`]) or as Debian's ([`debian`]); [`program`] looks whether the machine has one
//! first. Each is fetched once for everybody, under a file lock, and is visible only when it is complete.

pub(crate) mod debian;
pub(crate) mod node;
pub(crate) mod program;
pub(crate) mod python;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::built::Built;
use crate::progress::STILL_GOING;

/// Gets a line for every step that may take more than a second.
pub(crate) type OnProgress<'a> = &'a dyn Fn(&str);

/// Between two looks at a step.
const POLL: Duration = Duration::from_millis(50);

/// The folder `name` of the target folder.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    Ok(Built::find()?.target().join(name))
}

/// Sees to it that `wanted` is there: calls `make` unless it is, while nobody else does.
///
/// # Errors
/// `make`'s own, or `make` did not make it.
pub(crate) fn once(
    wanted: &Path,
    on_progress: OnProgress,
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if wanted.exists() {
        return Ok(());
    }
    let folder = wanted.parent().context("what is fetched lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    // The kernel lets go of the lock however its holder ends.
    let lock = folder.join("lock");
    let lock = File::create(&lock).with_context(|| lock.display().to_string())?;
    if lock.try_lock().is_err() {
        on_progress("waiting for another process that is fetching it");
        lock.lock().with_context(|| format!("waiting for the lock in {}", folder.display()))?;
    }
    if !wanted.exists() {
        make()?;
    }
    if !wanted.exists() {
        bail!("{} was not among what was fetched", wanted.display());
    }
    Ok(())
}

/// Runs a step with its output in `log`, and says every few seconds that it still goes; what it
/// wrote.
///
/// # Errors
/// It cannot be started or fails; with what it ran and what it wrote.
pub(crate) fn step(command: &mut Command, log: &Path, on_progress: OnProgress) -> Result<String> {
    let name = format!("{command:?}");
    let output = File::create(log).with_context(|| log.display().to_string())?;
    let errors = output.try_clone().with_context(|| log.display().to_string())?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .with_context(|| name.clone())?;
    let (started, mut reported) = (Instant::now(), Instant::now());
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| name.clone())? {
            break status;
        }
        if reported.elapsed() >= STILL_GOING {
            reported = Instant::now();
            on_progress(&format!("{} s", started.elapsed().as_secs()));
        }
        std::thread::sleep(POLL);
    };
    let output = fs::read_to_string(log).unwrap_or_default();
    if !status.success() {
        bail!("{name}: {status}\n{}", output.trim_end());
    }
    Ok(output)
}

/// The first file of this name in the folders of `$PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("program");
        fs::write(&wanted, "there").unwrap();
        once(&wanted, &|line| panic!("said {line}"), || panic!("fetched again")).unwrap();
        assert_eq!(fs::read_to_string(wanted).unwrap(), "there");
    }

    #[test]
    fn who_waited_for_the_lock_takes_what_the_other_fetched() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("program");
        let lock = File::create(folder.path().join("lock")).unwrap();
        lock.lock().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let sender = sender;
                let on_progress = |line: &str| sender.send(line.to_owned()).unwrap();
                once(&wanted, &on_progress, || panic!("fetched twice"))
            });
            assert!(receiver.recv().unwrap().contains("waiting"));
            fs::write(&wanted, "theirs").unwrap();
            lock.unlock().unwrap();
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_fetch_that_brings_something_else_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("program");
        let error = once(&wanted, &|_| {}, || Ok(())).unwrap_err().to_string();
        assert!(error.contains("program was not among what was fetched"), "{error}");
    }

    #[test]
    fn a_failed_step_says_what_it_ran_and_what_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such package; exit 7"]);
        let error = step(&mut command, &folder.path().join("log"), &|_| {}).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("exit status: 7") && error.contains("no such package"), "{error}");
        assert!(error.contains("\"sh\""), "{error}");
    }
}
