//! What a request costs in the Leasehold filter: `tests/cost/table.json` holds it, call by call and
//! instruction by instruction, and no change makes a warm request dearer unseen.
//!
//! A change that is worth its price writes the table anew, in sight of whoever reviews it:
//! `host-sim cost target/wasm32-wasip1/wasm/leasehold_filter.wasm tests/cost/*.yaml --json`
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn cost(options: &[&str]) -> Output {
    let folder = support::root().join("tests/cost");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
        .collect();
    files.sort();
    // Says how to build it where it is not.
    support::filter();
    let filter = support::root().join("target/wasm32-wasip1/wasm/leasehold_filter.wasm");
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-sim"));
    command.arg("cost").arg(filter).args(files).args(options).output().unwrap()
}

fn table() -> PathBuf {
    support::root().join("tests/cost/table.json")
}

fn check(table: &Path) -> (Option<i32>, String) {
    let output = cost(&["--check", table.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), told.into_owned())
}

#[test]
fn no_warm_request_costs_more_than_the_table_says() {
    let (code, told) = check(&table());
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn the_table_has_every_case_and_two_runs_are_the_same() {
    let runs = [cost(&["--json"]).stdout, cost(&["--json"]).stdout];
    assert_eq!(runs[0], runs[1]);
    let now: Value = serde_json::from_slice(&runs[0]).unwrap();
    let then: Value = serde_json::from_slice(&std::fs::read(table()).unwrap()).unwrap();
    let names = |table: &Value| table.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&now), names(&then));
}

#[test]
fn one_instruction_more_is_seen() {
    let mut lower: Value = serde_json::from_slice(&std::fs::read(table()).unwrap()).unwrap();
    let warm = &mut lower["no credential"]["warm"]["fuel"];
    *warm = (warm.as_u64().unwrap() - 1).into();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lower.to_string()).unwrap();
    let (code, told) = check(file.path());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("no credential"), "{told}");
}
