//! Every case in `tests/cases` holds on the simulator, and the filter makes none of the mistakes that
//! strict mode knows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

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
