//! How long another guest waits while one opens thousands of streams that are all held for a lease, and
//! then resets them at once. One worker, so that both are its guests.
//!
//! Envoy has work with each stream whoever holds it. So every round is measured twice: with the filter, and
//! without it, where Envoy's own fault filter holds the streams.

mod arm;
mod load_generator;
mod report;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use stack::envoy::{EdgeSettings, Envoy, EnvoyBinary};
use stack::policy::{
    CUSTODY_AUTHORITY, CUSTODY_CLUSTER, DEMO_HANDLE, DEMO_HOST, ORIGIN_PORT, OTHER_HOST,
};
use stack::progress::{Progress, Step};
use stack::{Answer, Stack, StackBuilder, Way, benchmarks, ports};

use self::arm::{Arm, Round};
use self::report::{Compared, Rounds};
use super::edge::Edge;
use super::shape::with_filters;
use super::variant;
use crate::cargo::{self, BUILD_STEPS};
use crate::guests;

const SECTION: &str = "Held streams";
const COMMAND: &str = "cargo xtask bench held";
/// Longer than any round, in seconds.
const DELAY: &str = "60s";

#[derive(Args)]
pub struct Held {
    /// How many streams are held at once
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    streams: usize,
    /// How often each of the two Envoys is measured, in turn
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// The numbers as JSON, and BENCHMARKS.md left alone
    #[arg(long)]
    json: bool,
}

// === impl Held ===

impl Held {
    pub fn run(&self) -> Result<ExitCode> {
        ensure!(self.streams > 0 && self.rounds > 0, "of nothing there is no median");
        let mut progress = Progress::new(BUILD_STEPS + StackBuilder::STEPS + 1);
        cargo::build(&mut progress)?;
        let builder = Stack::builder().way(Way::Gateway).workers(1).policy(policy());
        let mut stack = builder.start_telling(&mut progress)?;
        stack.fake_custody(Answer::Stall)?;
        let mut step = progress.step("holding streams");
        let compared = self.compare(&stack, &mut step)?;
        step.finish();
        stack.stop()?;
        self.report(&compared)
    }

    fn compare(&self, stack: &Stack, step: &mut Step<'_>) -> Result<Compared> {
        let binary = EnvoyBinary::locate_or_fetch(&|_| ())?;
        let (plain, filter) = (arm(stack, &binary, false)?, arm(stack, &binary, true)?);
        let port = stack.origin()?.port();
        let [held, answered] = [DEMO_HOST, OTHER_HOST].map(|host| format!("{host}:{port}"));
        let mut rounds = Rounds::new();
        for number in 1..=self.rounds {
            step.still(&format!("round {number} of {}", self.rounds));
            // A session of its own: what custody still owes the round before is nothing to this one.
            let session = guests::session(stack, &format!("bench-held-{number}"))?;
            let round = Round {
                streams: self.streams,
                held: &held,
                answered: &answered,
                session: &session,
            };
            rounds.push((plain.run(&round)?, filter.run(&round)?));
        }
        Ok(Compared { streams: self.streams, rounds })
    }

    fn report(&self, compared: &Compared) -> Result<ExitCode> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(compared)?);
        } else {
            let text = compared.markdown()?;
            println!("{text}");
            let path = benchmarks::write_section(SECTION, COMMAND, &text)?;
            eprintln!("wrote the section {SECTION} of {}", path.display());
        }
        Ok(if compared.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// An Envoy of one worker, as it is shipped, or with Envoy's fault filter in place of ours.
fn arm(stack: &Stack, binary: &EnvoyBinary, has_filter: bool) -> Result<Arm> {
    let name = if has_filter { "leasehold" } else { "no-filter" };
    let settings =
        EdgeSettings { listen: ports::free(ports::address())?, ..stack.settings().clone() };
    let mut config = settings.render()?;
    if !has_filter {
        config = with_filters(&config, &[delay(DEMO_HOST)])?;
    }
    let folder = stack.folder().join(name);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(Arm { edge: Edge::new(name, Envoy::start_with_workers(1, binary, &config, &folder)?) })
}

/// Holds every request for this host.
fn delay(host: &str) -> Value {
    let config = json!({
        "headers": [{"name": ":authority", "string_match": {"prefix": host}}],
        "delay": {"fixed_delay": DELAY, "percentage": {"numerator": 100}},
    });
    variant::filter("fault", "fault.v3.HTTPFault", config)
}

/// A destination with a credential, whose lease never comes, and one without.
fn policy() -> Value {
    let destination = |host: &str| {
        json!({
            "name": host,
            "hosts": [host],
            "ports": [ORIGIN_PORT],
            "allow": [{"methods": ["GET"], "paths": ["/**"]}],
            "sessions": {"claims": {"team": ["demo"]}},
        })
    };
    let mut held = destination(DEMO_HOST);
    if let Some(fields) = held.as_object_mut() {
        fields.insert("credential".into(), json!({"handle": DEMO_HANDLE}));
    }
    json!({
        "custody": {"cluster": CUSTODY_CLUSTER, "authority": CUSTODY_AUTHORITY, "timeout": "30s"},
        "destinations": [held, destination(OTHER_HOST)],
    })
}
