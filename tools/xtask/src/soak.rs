//! `cargo xtask soak`: many sessions, short leases, revocations, a custody that is restarted and a kill
//! switch that is set once, for minutes on end; and what must hold all the while.

mod check;
mod load_generator;
mod script;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;
use stack::policy::{self, DEMO_HANDLE, ORIGIN_PORT};
use stack::progress::Progress;
use stack::{Credential, Stack, StackBuilder, Way, benchmarks, hex};

use crate::cargo::{self, BUILD_STEPS};
use crate::interrupt::Interrupt;
use check::Findings;
use load_generator::{LoadGenerator, SESSION};
use script::Script;

#[derive(Args)]
pub struct Soak {
    /// How long
    #[arg(long, default_value_t = 10, value_name = "N")]
    minutes: u64,
    /// Workers of Envoy
    #[arg(long, default_value_t = 4, value_name = "N")]
    workers: usize,
    /// Sessions there are at a time
    #[arg(long, default_value_t = 2000, value_name = "N")]
    sessions: usize,
    /// Guests at a time, each with a connection of its own
    #[arg(long, default_value_t = 32, value_name = "N")]
    guests: usize,
}

/// Seconds a lease lives.
const LEASE: u64 = 20;
/// Between two lines of progress.
const TELL: Duration = Duration::from_secs(10);

// === impl Soak ===

impl Soak {
    pub fn run(&self) -> Result<ExitCode> {
        ensure!(self.minutes > 0 && self.sessions >= self.guests, "too short, or too few sessions");
        let interrupt = Interrupt::listen()?;
        let mut progress = Progress::new(BUILD_STEPS + StackBuilder::STEPS);
        cargo::build(&mut progress)?;
        let mut stack = self.builder()?.start_telling(&mut progress)?;
        let time = Duration::from_secs(self.minutes * 60);
        println!("{}; {} minutes", benchmarks::machine(), self.minutes);
        let load_generator = LoadGenerator::start(&stack, self.guests, self.sessions)?;
        let mut script = Script::new(time);
        let mut findings = Findings::default();
        let began = Instant::now();
        let mut told = began;
        while began.elapsed() < time && !interrupt.came() {
            script.act(&mut stack, &load_generator, began.elapsed())?;
            findings.look(&stack, &load_generator)?;
            if told.elapsed() >= TELL {
                told = Instant::now();
                println!("{:>5} s  {findings}", began.elapsed().as_secs());
            }
        }
        findings.judge(load_generator.end()?);
        stack.stop()?;
        println!("{}", findings.report());
        let fine = findings.is_fine() && !interrupt.came();
        Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn builder(&self) -> Result<StackBuilder> {
        let grant = json!({
            "handle": DEMO_HANDLE,
            "destinations": [format!("{}:{ORIGIN_PORT}", policy::DEMO_HOST)],
            "claims": {"team": ["demo"]},
            "ttl": format!("{LEASE}s"),
        });
        Ok(Stack::builder()
            .way(Way::Gateway)
            .workers(self.workers)
            .grants(vec![grant])
            .custody_session(json!({"absolute": format!("{SESSION}s")}))
            .credential(Credential::bearer(DEMO_HANDLE, &hex(24)?)))
    }
}
