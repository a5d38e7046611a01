//! Every case in `tests/cases` holds on the simulator, and the filter makes none of the mistakes that
//! strict mode knows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use host_sim::Module;
use host_sim::cases::{CaseFile, run_case};
use std::collections::BTreeSet;
use std::path::PathBuf;

#[test]
fn every_case_holds_on_the_simulator() {
    let module = support::filter();
    let (mut played, mut complaints, mut denials) = (0, Vec::new(), BTreeSet::new());
    for path in case_files() {
        let file = CaseFile::open(&path).unwrap_or_else(|error| panic!("{error}"));
        for case in &file.cases {
            played += 1;
            let place = format!("{}: {}", path.file_name().unwrap().display(), case.name);
            let mut outcome =
                run_case(&module, &file, case).unwrap_or_else(|error| panic!("{error}"));
            for step in &outcome.steps {
                let differences = step.differences.iter();
                complaints.extend(differences.map(|difference| format!("{place}: {difference}")));
                denials.extend(step.observed.iter().filter_map(|seen| seen.reason.clone()));
            }
            let violations = outcome.host.finish();
            complaints.extend(violations.iter().map(|violation| format!("{place}: {violation}")));
            let transcript = outcome.host.transcript();
            complaints.extend(transcript.failures().map(|failure| format!("{place}: {failure}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    println!("{played} cases, {} different denials", denials.len());
    assert!(played >= 150 && denials.len() >= 35, "{played} cases, {} denials", denials.len());
}

#[test]
fn what_makes_no_sense_is_said() {
    let said = |case: &str| CaseFile::parse(&format!("cases: [{{name: x, {case}}}]")).err();
    assert_eq!(said(r#"together: [{request: "GET / HTTP/1.1"}]"#), None);
    assert_eq!(said(r#"request: "POST / HTTP/1.1", body: [a], expect: {}"#), None);
    for (case, reason) in [
        ("", "nothing happens in it: give it a request or steps"),
        (r#"request: "GET / HTTP/1.1""#, "expect: say what must come of it"),
        (
            r#"request: "GET / HTTP/1.1", together: [{request: "GET / HTTP/1.1"}]"#,
            "together: the requests stand in it, none beside it",
        ),
        ("together: [{}]", "together, body: without a request"),
        (
            r#"request: "POST / HTTP/1.1\n\na", body: [b], expect: {}"#,
            "body: the request has one of its own",
        ),
        (
            r#"request: "GET / HTTP/1.1", steps: [{}]"#,
            "either steps, or request, connect and expect in the case itself",
        ),
    ] {
        assert_eq!(said(case), Some(format!("cases[0] (x): {reason}")));
    }
}

/// A denied CONNECT of one step says nothing about a request of the next that is in no tunnel: where that
/// gets through, the simulator has to show it.
#[test]
fn a_denied_connect_hides_nothing_that_a_later_step_lets_through() {
    let module = Module::new(
        br#"(module
          (import "env" "proxy_get_header_map_value"
            (func $value (param i32 i32 i32 i32 i32) (result i32)))
          (import "env" "proxy_set_property" (func $set (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 64) ":methodleasehold.permitrefusalleasehold.refusalrequest")
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "malloc") (param i32) (result i32) (i32.const 4096))
          (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $value (i32.const 0) (i32.const 64) (i32.const 7) (i32.const 16) (i32.const 20)))
            (if (i32.eq (i32.load8_u (i32.load (i32.const 16))) (i32.const 67)) (then
              (drop (call $set (i32.const 71) (i32.const 16) (i32.const 87) (i32.const 7)))
              (drop (call $set (i32.const 94) (i32.const 17) (i32.const 87) (i32.const 7)))
              (return (i32.const 0))))
            (call $set (i32.const 71) (i32.const 16) (i32.const 111) (i32.const 7))))"#,
    )
    .unwrap();
    let file = r#"
net: wasm.leasehold.permit
cases:
- name: a denied CONNECT, then a request in no tunnel
  session: {token: none}
  steps:
  - {connect: "a.test:443", request: "GET / HTTP/1.1\nHost: a.test", expect: {denied: net}}
  - {connect: none, request: "GET / HTTP/1.1\nHost: a.test", expect: {allowed: true}}
"#;
    let file = CaseFile::parse(file).unwrap();
    let run = run_case(&module, &file, &file.cases[0]).unwrap();
    let [denied, later] = [0, 1].map(|step| &run.steps[step].observed[0]);
    assert!(!denied.is_allowed(), "{}", denied.verdict());
    assert!(later.is_allowed(), "{}", later.verdict());
}

/// Every file of cases, sorted; also those of the ready policies.
fn case_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["tests/cases", "policies/cases"] {
        let entries = std::fs::read_dir(support::root().join(folder)).unwrap();
        let before = files.len();
        files.extend(entries.map(|entry| entry.unwrap().path()));
        assert!(files.len() > before);
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}
