//! The table of speed: Envoy with our filter beside Envoy without it, and beside Envoy's own filters.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use stack::benchmarks;
use stack::progress::{Progress, Step};

use super::group::{Group, Part};
use super::load::{Loader, Requests};
use super::measured::{Measured, Table};
use super::memory;
use super::report;
use super::testbed::Testbed;
use crate::cargo::{self, BUILD_STEPS, cargo};
use crate::command;

#[derive(Args)]
pub struct Speed {
    /// Turns of each row
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds of load a turn
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,
    /// Measures these parts only, and leaves BENCHMARKS.md as it is
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Prints every turn as JSON, and leaves BENCHMARKS.md as it is
    #[arg(long)]
    json: bool,
}

/// The section of BENCHMARKS.md, and what writes it.
const SECTION: &str = "Speed";
const COMMAND: &str = "cargo xtask bench";

// === impl Speed ===

impl Speed {
    pub fn run(self) -> Result<ExitCode> {
        let parts = if self.only.is_empty() { Part::ALL.to_vec() } else { self.only.clone() };
        let mut progress = Progress::new(BUILD_STEPS + 3 + parts.len());
        cargo::build(&mut progress)?;
        build_ext_authz(&mut progress)?;
        let mut testbed = Testbed::start(&mut progress)?;
        let mut table = Table { envoy: testbed.envoy_version().to_owned(), ..Table::default() };
        for part in parts {
            let mut step = progress.step(part.title());
            let rows = self.measure(&mut testbed, part, &mut step)?;
            table.parts.insert(part, rows);
            step.finish();
        }
        if self.only.is_empty() {
            let step = progress.step("memory");
            table.worker = Some(memory::of_a_worker(&testbed)?);
            step.finish();
        }
        self.report(&table)?;
        Ok(ExitCode::SUCCESS)
    }

    fn measure(
        &self,
        testbed: &mut Testbed,
        part: Part,
        step: &mut Step<'_>,
    ) -> Result<Vec<Measured>> {
        testbed.put_leases()?;
        let group = part.group(testbed, self.rounds.into())?;
        warm_up(&testbed.loader, &group, step)?;
        let mut measured: Vec<_> = group.rows.iter().map(|row| Measured::new(&row.name)).collect();
        let time = Duration::from_secs(self.seconds.into());
        for round in 0..usize::from(self.rounds) {
            testbed.put_leases()?;
            for (row, measured) in group.rows.iter().zip(&mut measured) {
                let Some(edge) = group.edges.get(row.edge) else { continue };
                step.still(&format!("round {} of {}: {}", round + 1, self.rounds, row.name));
                measured.turns.push(testbed.loader.turn(edge, &row.load, round, time)?);
            }
        }
        for (row, measured) in group.rows.iter().zip(&mut measured) {
            if let Some(edge) = group.edges.get(row.edge) {
                measured.memory = edge.memory()?;
            }
        }
        Ok(measured)
    }

    fn report(&self, table: &Table) -> Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(table)?);
            return Ok(());
        }
        let text = report::markdown(table, usize::from(self.rounds), usize::from(self.seconds));
        println!("{text}");
        if self.only.is_empty() {
            let path = benchmarks::write_section(SECTION, COMMAND, &text)?;
            eprintln!("wrote the section {SECTION} of {}", path.display());
        }
        Ok(())
    }
}

/// Asks everything once that is asked again and again, so that it is known.
fn warm_up(loader: &Loader, group: &Group, step: &mut Step<'_>) -> Result<()> {
    for row in &group.rows {
        let (Requests::Same(file), Some(edge)) = (&row.load.requests, group.edges.get(row.edge))
        else {
            continue;
        };
        step.still(&format!("warming up: {}", row.name));
        loader.warm_up(edge, &row.load, file)?;
    }
    Ok(())
}

fn build_ext_authz(progress: &mut Progress) -> Result<()> {
    let mut step = progress.step("building the ext_authz service that is compared (release)");
    command::run(&mut step, &mut cargo(&["build", "--release", "-p", "ext-authz"]))?;
    step.finish();
    Ok(())
}
