//! `host-sim test`: cases, like a test runner.

use super::exit::{Exit, FAILED};
use super::settings::Budgets;
use super::stdout::print_line;
use clap::Args;
use host_sim::Module;
use host_sim::cases::{Case, CaseFile, StepRun, run_case};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Test {
    /// The module.
    filter: PathBuf,
    /// Files of cases.
    #[arg(required = true)]
    cases: Vec<PathBuf>,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    #[command(flatten)]
    budgets: Budgets,
    /// Report, too, what a filter should not do though Envoy may let it.
    #[arg(long)]
    strict: bool,
}

// === impl Test ===

impl Test {
    pub fn run(&self) -> Result<ExitCode, Exit> {
        // Every file is read before the first case is played: a mistake shows at once.
        let files: Vec<(String, CaseFile)> = self
            .cases
            .iter()
            .map(|path| {
                let mut file = CaseFile::open(path)?;
                self.budgets.apply(&mut file.plugin);
                Ok((path.display().to_string(), file))
            })
            .collect::<Result<_, Exit>>()?;
        let module = Module::open(&self.filter)?;
        let (mut passed, mut failed) = (0, 0);
        for (path, file) in &files {
            print_line!("{path}")?;
            for case in file.cases.iter().filter(|case| self.wants(case)) {
                if self.run_case(&module, file, case)? {
                    passed += 1;
                } else {
                    failed += 1;
                }
            }
        }
        if passed + failed == 0 {
            return Err(Exit::malformed(match &self.only {
                Some(only) => format!("no case has {only:?} in its name (--only)"),
                None => "there is no case in these files".to_owned(),
            }));
        }
        print_line!("\n{passed} passed, {failed} failed")?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }

    fn wants(&self, case: &Case) -> bool {
        self.only.as_ref().is_none_or(|text| case.name.contains(text.as_str()))
    }

    fn run_case(&self, module: &Module, file: &CaseFile, case: &Case) -> Result<bool, Exit> {
        let mut run = run_case(module, file, case)?;
        let mut complaints = complaints(&run.steps);
        if self.strict {
            complaints.extend(run.host.finish().iter().map(ToString::to_string));
        }
        let failures = run.host.transcript();
        complaints.extend(failures.failures().map(|failure| format!("the VM failed: {failure}")));
        print_line!(
            "  {}  {}",
            if complaints.is_empty() { "ok    " } else { "FAILED" },
            case.name
        )?;
        for line in complaints.iter().flat_map(|complaint| complaint.lines()) {
            print_line!("            {line}")?;
        }
        Ok(complaints.is_empty())
    }
}

/// What differs, with the number of the step where there are several.
fn complaints(steps: &[StepRun]) -> Vec<String> {
    let several = steps.len() > 1;
    let of_step = |(n, step): (usize, &StepRun)| {
        let place = if several { format!("step {}: ", n + 1) } else { String::new() };
        let texts = step.differences.iter().map(|difference| format!("{place}{difference}"));
        texts.collect::<Vec<_>>()
    };
    steps.iter().enumerate().flat_map(of_step).collect()
}
