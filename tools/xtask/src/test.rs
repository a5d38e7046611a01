//! `cargo xtask test`: every check there is, in one go; with `--fast` those of the everyday loop.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use stack::built::Built;
use stack::clients::Clients;
use stack::dev_tools::{DevProgram, DevTool};
use stack::envoy::EnvoyBinary;
use stack::oidc_provider::OidcProvider;
use stack::openbao::BaoBinary;
use stack::postgres::{PgBouncer, PostgresPrograms};
use stack::progress::Progress;
use stack::promtool::Promtool;
use stack::registry::Registry;
use stack::schemas::Schemas;
use stack::wrk::Wrk;

use crate::cargo;
use crate::command::run_fetch;
use crate::conformance;
use crate::lint;
use crate::nextest::{self, Count, Profile};
use crate::sweep;

/// The steps besides the checks of [`lint`].
const STEPS: usize = 15;
const STEPS_FAST: usize = 2;

/// Integration tests that are as quick as unit tests: no program of others, no module, no listener.
const QUICK: [&str; 14] = [
    "aided",
    "conditions",
    "eddsa",
    "envelope",
    "forgery",
    "issuer_keys",
    "jwks",
    "paths",
    "public_suffixes",
    "refusals",
    "seeds",
    "vectors",
    "whatwg_hosts",
    "wycheproof",
];

#[derive(Args)]
pub struct Test {
    /// Format, spelling, clippy, unit tests and the quick integration tests: under a minute once built
    #[arg(long)]
    fast: bool,
    /// Run only tests whose name holds this, and no format or clippy check
    filter: Option<String>,
}

// === impl Test ===

impl Test {
    pub fn run(self) -> Result<ExitCode> {
        let count = if self.fast { self.run_fast()? } else { self.run_all()? };
        println!("{count}");
        Ok(if count.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn run_fast(&self) -> Result<Count> {
        let checks = if self.filter.is_none() { lint::QUICK_STEPS } else { 0 };
        let mut progress = Progress::new(checks + STEPS_FAST);
        if self.filter.is_none() {
            lint::quick(&mut progress)?;
        }
        let runner = lint::fetch(&mut progress, DevTool::CargoNextest)?;
        let quick = QUICK.iter().flat_map(|name| ["--test", name]);
        let targets: Vec<_> = ["--lib", "--bins"].into_iter().chain(quick).collect();
        self.run_tests(&mut progress, &runner, Profile::Fast, &targets)
    }

    fn run_all(&self) -> Result<Count> {
        let checks = if self.filter.is_none() { lint::STEPS } else { 0 };
        let mut progress = Progress::new(checks + STEPS);
        stack::sweep(&Built::find()?);
        if self.filter.is_none() {
            lint::all(&mut progress)?;
        }
        cargo::build_modules(&mut progress)?;
        let build = ["build", "--bins", "--tests"];
        lint::run_cargo(&mut progress, "building programs and tests", &build)?;
        let runner = lint::fetch(&mut progress, DevTool::CargoNextest)?;
        lint::fetch(&mut progress, DevTool::Mdbook)?;
        fetch_all(&mut progress)?;
        conformance::forget()?;
        sweep::forget()?;
        let is_ci = std::env::var_os("CI").is_some();
        let profile = if is_ci { Profile::Ci } else { Profile::Default };
        let count = self.run_tests(&mut progress, &runner, profile, &[])?;
        if let Some(summary) = conformance::summary()? {
            println!("cases on host-sim and on Envoy: {summary}");
        }
        if let Some(summary) = sweep::summary()? {
            println!("fault sweep of the filter: {summary}");
        }
        Ok(count)
    }

    fn run_tests(
        &self,
        progress: &mut Progress,
        runner: &DevProgram,
        profile: Profile,
        targets: &[&str],
    ) -> Result<Count> {
        let mut step = progress.step("running the tests with cargo-nextest");
        step.hand_over_terminal();
        let arguments: Vec<_> = targets.iter().copied().chain(self.filter.as_deref()).collect();
        let count = nextest::run(runner, profile, &arguments)?;
        step.finish();
        Ok(count)
    }
}

/// What the tests run for real, so that no test has to wait for it.
fn fetch_all(progress: &mut Progress) -> Result<()> {
    fn no_remark<T>(_: &T) -> String {
        String::new()
    }
    let version = |version: &str| version.to_owned();
    run_fetch(progress, "Envoy", EnvoyBinary::locate_or_fetch, |one| version(one.version()))?;
    run_fetch(progress, "clients (libraries of Python and Node)", |_| Clients::fetch(), no_remark)?;
    run_fetch(progress, "an OpenID provider (oidc-provider)", OidcProvider::fetch, no_remark)?;
    run_fetch(progress, "OpenBao", BaoBinary::locate_or_fetch, |one| version(one.version()))?;
    let postgres = PostgresPrograms::locate_or_fetch;
    run_fetch(progress, "PostgreSQL", postgres, |one| version(one.version()))?;
    run_fetch(progress, "PgBouncer", PgBouncer::locate_or_fetch, no_remark)?;
    run_fetch(progress, "wrk", Wrk::locate_or_fetch, no_remark)?;
    run_fetch(progress, "promtool", Promtool::locate_or_fetch, no_remark)?;
    run_fetch(progress, "a registry (docker-registry, skopeo)", Registry::fetch, no_remark)?;
    let schemas = "schemas of Kubernetes, Istio, Compose and CycloneDX; kubectl";
    run_fetch(progress, schemas, Schemas::fetch, no_remark)?;
    Ok(())
}
