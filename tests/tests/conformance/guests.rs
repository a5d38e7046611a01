//! Filters made with the Rust SDK, which are nobody's own here: what they do on host-sim they do on
//! Envoy, to the header, the log line and the metric.

pub mod real;
pub mod scenario;
pub mod server;
pub mod simulated;

use host_sim::Module;
use stack::built::Built;

use crate::report::{Outcome, Report, Row};
use scenario::Told;

const MODULE: &str = "wasm32-wasip1/wasm/sdk_guests.wasm";

/// # Panics
/// The hosts differ.
pub fn compare() {
    let built = Built::find().unwrap();
    let path = built.target().join(MODULE);
    let module = Module::open(&path).unwrap_or_else(|error| {
        let build = "cargo build -p sdk-guests --target wasm32-wasip1 --profile wasm";
        panic!("{error}\nbuild it: {build}")
    });
    let scenarios = scenario::all();
    let rows = scenarios.iter().map(|scenario| {
        let (simulated, real) = (simulated::tell(&module, scenario), real::tell(&path, scenario));
        let differences = differences(&simulated, &real);
        Row {
            case: scenario.name.to_owned(),
            host_sim: shown(&simulated),
            envoy: Some(shown(&real)),
            outcome: Outcome::of(differences, None),
        }
    });
    let report = Report { file: "guests of the Rust SDK".to_owned(), rows: rows.collect() };
    report.leave(&built, "guests");
    let complaints = report.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn differences(simulated: &Told, real: &Told) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, simulated: String, real: String| {
        if simulated != real {
            found.push(format!("{what}: host-sim {simulated}, Envoy {real}"));
        }
    };
    for (n, (simulated, real)) in simulated.seen.iter().zip(&real.seen).enumerate() {
        compare(&format!("request {n}"), format!("{simulated:?}"), format!("{real:?}"));
    }
    compare("callouts", format!("{:?}", simulated.asked), format!("{:?}", real.asked));
    compare("log", format!("{:?}", simulated.log), format!("{:?}", real.log));
    compare("metrics", format!("{:?}", simulated.metrics), format!("{:?}", real.metrics));
    found
}

/// `200 forwarded, 403`.
fn shown(told: &Told) -> String {
    let requests = told.seen.iter().map(|seen| match seen.upstream {
        Some(_) => format!("{} forwarded", seen.status),
        None => seen.status.to_string(),
    });
    requests.collect::<Vec<_>>().join(", ")
}

/// Not what is said at a start, or by a timer, whose number depends on threads and time.
fn is_of_a_request(message: &str) -> bool {
    message != "hello from a VM" && !message.ends_with(" requests so far")
}
