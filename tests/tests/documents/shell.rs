//! A person's shell: what is typed at it runs until it is done, and what was started in the background
//! goes on until the shell is closed.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::clone::Clone;

/// So long that only something broken takes it.
const PATIENCE: Duration = Duration::from_secs(300);
/// Said when what was typed is done.
const DONE: &str = "--- done";

pub struct Shell {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    typed: PathBuf,
    _watched: Sender<()>,
}

// === impl Shell ===

impl Shell {
    /// In the root of the clone, with its tools.
    pub fn open(clone: &Clone) -> Self {
        let mut path = OsString::from(clone.tools());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.current_dir(clone.root()).env("PATH", path);
        shell.env("CARGO", clone.tools().join("cargo"));
        for name in ["HTTPS_PROXY", "https_proxy", "GITHUB_TOKEN"] {
            shell.env_remove(name);
        }
        let shell = shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let group = group(&child);
        let (watched, closed) = channel::<()>();
        std::thread::spawn(move || {
            if closed.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process_group(group, Signal::KILL);
            }
        });
        let (stdout, typed) = (BufReader::new(stdout), clone.root().join("typed.sh"));
        let mut shell = Self { child, stdin, stdout, typed, _watched: watched };
        shell.stdin.write_all(b"set -eu; exec 2>&1\n").unwrap();
        shell
    }

    /// Types `text`; what it said, standard error and all.
    #[track_caller]
    pub fn run(&mut self, text: &str) -> String {
        // From a file, so that no command eats what is typed after it.
        fs::write(&self.typed, text).unwrap();
        let typed = self.typed.display();
        writeln!(self.stdin, ". {typed} </dev/null; echo; echo '{DONE}'").unwrap();
        let mut said = String::new();
        loop {
            let mut line = Vec::new();
            let read = self.stdout.read_until(b'\n', &mut line).unwrap();
            assert!(read > 0, "it failed:\n{text}\n--- and said:\n{said}");
            let line = String::from_utf8_lossy(&line);
            if line.trim_end() == DONE {
                return said;
            }
            said.push_str(&line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = kill_process_group(group(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn group(child: &Child) -> Pid {
    Pid::from_child(child)
}
