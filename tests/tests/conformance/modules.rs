//! Whole modules: what each is called with, what it calls, and what its clients and upstreams see.
//!
//! They are the guests in `tests/modules`, or those of the folder that `CONFORMANCE_MODULES` names. A file
//! `NAME.config` beside `NAME.wasm` or `NAME.wat` is its plugin configuration.

mod attributes;
mod expressions;
mod real;
mod simulated;
mod tally;
mod trace;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use stack::built::Built;

use crate::guests::scenario::{Ask, Seen};
use crate::report::{Outcome, Report, Row};
use tally::Tally;

/// Names a folder of modules, in place of our own.
const FOLDER: &str = "CONFORMANCE_MODULES";

/// What every module is asked, in this order.
const ASKS: [Ask; 3] = [
    Ask { path: "/get?a=b", headers: &[("x-one", "1"), ("user-agent", "probe")], body: None },
    Ask { path: "/post", headers: &[("content-type", "text/plain")], body: Some("hello") },
    Ask { path: "/last", headers: &[], body: None },
];

/// What the upstream answers.
const ORIGIN: &str = "origin says\n";
/// The cluster `authority`, for callouts, and what it answers.
const AUTHORITY: (u16, &str) = (200, "granted");

/// Guests that are played at once; each waits for its Envoy most of the time.
const PLAYERS: usize = 3;

/// The guest that wasmtime does not compile.
const ENVOY_ALONE: &str = "feature-exceptions-legacy";

struct Guest {
    name: String,
    module: Vec<u8>,
    configuration: String,
    /// A line of its log, without what differs from one moment to the next.
    comparable: fn(String) -> String,
}

/// What became of a module.
#[derive(Debug, Default)]
pub struct Told {
    /// Why it does not start.
    refused: Option<String>,
    /// How often the plugin is configured before the first request: on the main thread, and on the worker.
    starts: [usize; 2],
    /// Calls of one worker's VM, in order: callbacks with arguments and results, host calls with statuses.
    calls: Vec<String>,
    /// `None`: no whole answer came.
    seen: Vec<Option<Seen>>,
    /// What that VM logged, at every level.
    log: Vec<String>,
}

/// # Panics
/// The hosts differ.
pub fn compare() {
    let built = Built::find().unwrap();
    let mut tally = Tally::default();
    let rows = play(guests()).into_iter().map(|(guest, simulated, real)| {
        tally.add(&simulated, &real);
        let mut found = match guest.name == ENVOY_ALONE {
            true => alone(&simulated, &real),
            false => differences(&simulated, &real),
        };
        if std::env::var_os("CONFORMANCE_SHOW").is_some() {
            found.push(format!("host-sim {simulated:#?}\nEnvoy {real:#?}"));
        }
        Row {
            case: guest.name,
            host_sim: simulated.in_short(),
            envoy: Some(real.in_short()),
            outcome: Outcome::of(found, None),
        }
    });
    let report = Report { file: "whole modules".to_owned(), rows: rows.collect() };
    report.leave(&built, "modules");
    tally.report().leave(&built, "modules-by-call");
    let complaints = report.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Each guest on both hosts, in order.
fn play(guests: Vec<Guest>) -> Vec<(Guest, Told, Told)> {
    let queue = Mutex::new(guests.into_iter().enumerate());
    let played = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                while let Some((number, guest)) = next() {
                    let (simulated, real) = (simulated::tell(&guest), real::tell(&guest));
                    played.lock().unwrap().push((number, (guest, simulated, real)));
                }
            });
        }
    });
    let mut played = played.into_inner().unwrap();
    played.sort_by_key(|(number, _)| *number);
    played.into_iter().map(|(_, played)| played).collect()
}

fn guests() -> Vec<Guest> {
    let own = Built::root().join("tests/modules");
    let folder = std::env::var_os(FOLDER).map_or(own.clone(), PathBuf::from);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "wat" || kind == "wasm"));
    paths.sort();
    let mut guests: Vec<_> = paths.iter().map(|path| Guest::read(path)).collect();
    if folder == own {
        guests.extend([attributes::guest(), expressions::guest()]);
    }
    assert!(!guests.is_empty(), "{folder:?}: no .wasm or .wat file");
    guests
}

fn differences(simulated: &Told, real: &Told) -> Vec<String> {
    let mut found = Vec::new();
    if simulated.refused != real.refused {
        let shown = |told: &Told| told.refused.clone().unwrap_or("starts".to_owned());
        found.push(format!("start: host-sim {}, Envoy {}", shown(simulated), shown(real)));
        return found;
    }
    if simulated.starts != real.starts {
        found.push(format!("starts: host-sim {:?}, Envoy {:?}", simulated.starts, real.starts));
    }
    for (n, (simulated, real)) in simulated.seen.iter().zip(&real.seen).enumerate() {
        if simulated != real {
            found.push(format!("request {n}: host-sim {simulated:?}, Envoy {real:?}"));
        }
    }
    found.extend(first_difference("call", &simulated.calls, &real.calls));
    found.extend(first_difference("log line", &simulated.log, &real.log));
    found
}

/// Envoy runs it, and host-sim does not.
fn alone(simulated: &Told, real: &Told) -> Vec<String> {
    let is_alone = simulated.refused.is_some() && real.refused.is_none();
    let complaint = format!("host-sim {}, Envoy {}", simulated.in_short(), real.in_short());
    if is_alone { Vec::new() } else { vec![complaint] }
}

fn first_difference(what: &str, simulated: &[String], real: &[String]) -> Option<String> {
    let end = simulated.len().max(real.len());
    let at = (0..end).find(|at| simulated.get(*at) != real.get(*at))?;
    let part = |lines: &[String]| {
        let from = at.saturating_sub(2);
        lines.iter().skip(from).take(5).cloned().collect::<Vec<_>>().join("; ")
    };
    let count = simulated.iter().zip(real).filter(|(one, other)| one != other).count();
    Some(format!(
        "{what} {at} of {} and {}, {count} differ: host-sim {}, Envoy {}",
        simulated.len(),
        real.len(),
        part(simulated),
        part(real)
    ))
}

// === impl Guest ===

impl Guest {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let module = wat::parse_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let configuration = fs::read_to_string(path.with_extension("config")).unwrap_or_default();
        let module = module.into_owned();
        Self { name, module, configuration, comparable: |line| line }
    }
}

// === impl Told ===

impl Told {
    /// `200, 503, none; 24 calls`, or why there is nothing of it.
    fn in_short(&self) -> String {
        if let Some(refused) = &self.refused {
            return refused.clone();
        }
        let status = |seen: &Option<Seen>| {
            seen.as_ref().map_or("none".to_owned(), |seen| seen.status.to_string())
        };
        let statuses: Vec<_> = self.seen.iter().map(status).collect();
        format!("{}; {} calls", statuses.join(", "), self.calls.len())
    }
}
