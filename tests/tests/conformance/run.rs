//! One file of cases, on both.

use std::collections::BTreeSet;

use host_sim::Module;
use host_sim::cases::{Case, CaseFile, Observed, StepRun, run_case};
use stack::built::Built;

use crate::agreement::disagreements;
use crate::edge::RealEdge;
use crate::report::{Outcome, Report, Row};

/// Plays a file of this folder and leaves its rows behind.
///
/// # Panics
/// A case failed, with all that is wrong in the file.
pub fn file(folder: &str, name: &str) {
    let built = Built::find().unwrap();
    let path = Built::root().join(format!("{folder}/{name}.yaml"));
    let file = CaseFile::open(&path).unwrap_or_else(|error| panic!("{error}"));
    let module = Module::open(&built.filter().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let names: BTreeSet<_> = file.cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), file.cases.len(), "two cases of one name in {name}");
    let mut edge = RealEdge::new(&file);
    // Cases of one configuration one after another: each change costs a start of Envoy.
    let mut order: Vec<usize> = (0..file.cases.len()).collect();
    order.sort_by_key(|number| edge.setting_number(&file, &file.cases[*number]));
    let mut rows: Vec<(usize, Row)> = order
        .into_iter()
        .map(|number| (number, row(&module, &mut edge, &file, &file.cases[number])))
        .collect();
    rows.sort_by_key(|(number, _)| *number);
    let report = Report {
        file: format!("{folder}/{name}.yaml"),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    };
    report.leave(&built, &format!("{}-{name}", folder.replace('/', "-")));
    let complaints = report.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn row(module: &Module, edge: &mut RealEdge, file: &CaseFile, case: &Case) -> Row {
    let run = run_case(module, file, case).unwrap_or_else(|error| panic!("{error}"));
    let mut complaints = differences("host-sim", &run.steps);
    let simulated: Vec<_> = run.steps.into_iter().map(|step| step.observed).collect();
    let host_sim = verdicts(&simulated);
    if let Some(why) = &case.host_sim_only {
        let outcome = Outcome::of(complaints, Some(why.clone()));
        return Row { case: case.name.clone(), host_sim, envoy: None, outcome };
    }
    let real = edge.play(file, case).unwrap_or_else(|error| panic!("{}: {error:#}", case.name));
    for (n, step) in real.iter().enumerate() {
        let said = step
            .differences
            .iter()
            .map(|difference| format!("Envoy, step {}: {difference}", n + 1));
        complaints.extend(said);
        complaints.extend(step.note.iter().map(|note| format!("Envoy, step {}: {note}", n + 1)));
    }
    let real: Vec<_> = real.into_iter().map(|step| step.observed).collect();
    for (n, (simulated, real)) in simulated.iter().zip(&real).enumerate() {
        let found = simulated.iter().zip(real).flat_map(|(one, other)| disagreements(one, other));
        complaints.extend(found.map(|line| format!("step {}: {line}", n + 1)));
    }
    let envoy = Some(verdicts(&real));
    Row { case: case.name.clone(), host_sim, envoy, outcome: Outcome::of(complaints, None) }
}

fn differences(host: &str, steps: &[StepRun]) -> Vec<String> {
    let numbered = steps.iter().enumerate();
    numbered
        .flat_map(|(n, step)| {
            step.differences
                .iter()
                .map(move |difference| format!("{host}, step {}: {difference}", n + 1))
        })
        .collect()
}

/// What came of each step, such as `allowed / denied session_expired`, or of requests at once, `allowed +
/// gone`.
fn verdicts(steps: &[Vec<Observed>]) -> String {
    let verdicts = steps.iter().map(|observed| {
        let verdicts: Vec<_> = observed.iter().map(Observed::verdict).collect();
        verdicts.join(" + ")
    });
    verdicts.collect::<Vec<_>>().join(" / ")
}
