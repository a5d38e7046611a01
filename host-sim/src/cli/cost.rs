//! `host-sim cost`: what a case costs, exactly and repeatably.

use super::exit::{Exit, FAILED};
use super::stdout::print_line;
use clap::Args;
use host_sim::Module;
use host_sim::cases::{Case, CaseFile, StepRun, run_case};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Cost {
    /// The module.
    filter: PathBuf,
    /// Files of cases.
    #[arg(required = true)]
    cases: Vec<PathBuf>,
    /// A table of an earlier run; fails where a warm request costs more than it says.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Print the table as JSON, for --check.
    #[arg(long)]
    json: bool,
}

/// What a case costs the first time, and once more in the same VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CaseCost {
    cold: CostReport,
    warm: CostReport,
    /// Bytes of linear memory at the end.
    memory: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct CostReport {
    /// Wasm instructions.
    fuel: u64,
    /// Host calls by name.
    calls: BTreeMap<String, u64>,
}

type Table = BTreeMap<String, CaseCost>;

// === impl Cost ===

impl Cost {
    pub fn run(&self) -> Result<ExitCode, Exit> {
        let module = Module::open(&self.filter)?;
        let mut table = Table::new();
        for path in &self.cases {
            let file = CaseFile::open(path)?;
            for case in &file.cases {
                let name = &case.name;
                if table.contains_key(name) {
                    let path = path.display();
                    let text = format!("{path}: a second case of the name {name:?}; rename one");
                    return Err(Exit::malformed(text));
                }
                table.insert(name.clone(), cost(&module, &file, case)?);
            }
        }
        if table.is_empty() {
            return Err(Exit::malformed("there is no case in these files"));
        }
        let risen = match &self.check {
            Some(path) => risen(&read_table(path)?, &table),
            None => Vec::new(),
        };
        if self.json {
            let text = serde_json::to_string_pretty(&table);
            print_line!("{}", text.map_err(Exit::malformed)?)?;
        } else {
            table.iter().try_for_each(|(name, cost)| print(name, cost))?;
        }
        risen.iter().try_for_each(|line| print_line!("{line}"))?;
        Ok(if risen.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

fn read_table(path: &PathBuf) -> Result<Table, Exit> {
    let text = fs::read_to_string(path).map_err(|error| Exit::unreadable(path, &error))?;
    serde_json::from_str(&text)
        .map_err(|error| Exit::malformed(format!("{}: {error}", path.display())))
}

/// Plays a case's steps twice in the same VMs: the first time is cold, the second warm.
fn cost(module: &Module, file: &CaseFile, case: &Case) -> Result<CaseCost, Exit> {
    let steps = case.steps();
    let twice = steps.iter().chain(&steps).cloned().collect();
    let twice =
        Case { steps: twice, request: None, connect: None, together: Vec::new(), ..case.clone() };
    let run = run_case(module, file, &twice)?;
    let mut halves = run.steps.chunks(steps.len()).map(sum);
    let (cold, warm) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    Ok(CaseCost { cold, warm, memory: run.host.memory() })
}

fn sum(steps: &[StepRun]) -> CostReport {
    let mut report = CostReport::default();
    for step in steps {
        report.fuel += step.fuel;
        for (name, n) in &step.calls {
            *report.calls.entry((*name).to_owned()).or_default() += n;
        }
    }
    report
}

/// What a warm request costs more than it did.
fn risen(before: &Table, now: &Table) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, cost) in now {
        let Some(old) = before.get(name) else {
            lines.push(format!("{name}: not in the table; write it anew with --json"));
            continue;
        };
        if cost.warm.fuel > old.warm.fuel {
            let (old, new) = (old.warm.fuel, cost.warm.fuel);
            lines.push(format!("{name}: a warm request takes {new} instructions, was {old}"));
        }
        for (call, n) in &cost.warm.calls {
            let old = old.warm.calls.get(call).copied().unwrap_or_default();
            if *n > old {
                lines.push(format!("{name}: a warm request makes {n} {call}, was {old}"));
            }
        }
    }
    lines
}

fn print(name: &str, cost: &CaseCost) -> Result<(), Exit> {
    print_line!("{name}")?;
    for (kind, report) in [("cold", &cost.cold), ("warm", &cost.warm)] {
        let calls: u64 = report.calls.values().sum();
        print_line!("  {kind}  {:>10} instructions  {calls:>3} host calls", report.fuel)?;
        for (call, n) in &report.calls {
            print_line!("        {n:>3} {call}")?;
        }
    }
    print_line!("  {} KiB of memory", cost.memory / 1024)
}
