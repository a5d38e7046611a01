//! The edges of the ABI, call by call: what a guest is told must be the same on both hosts, status and
//! bytes.

use std::fmt::Write;
use std::fs;

use host_sim::{Host, Module, Plugin, Request};
use serde_json::json;
use stack::built::Built;
use stack::{Stack, Way};
use tests::guest;
use tests::wire::Wire;

use crate::prober::{Note, Prober, notes};
use crate::report::{Outcome, Report, Row};
use crate::stories;

const HEADERS: [(&str, &str); 4] =
    [("x-one", "1"), ("x-two", "a"), ("x-two", "b"), ("x-empty", "")];

const BODY: &str = "hello";

/// # Panics
/// The hosts differ.
pub fn compare() {
    let mut prober = stories::all();
    let module = prober.build();
    let simulated = on_host_sim(&module, &prober);
    let real = on_envoy(&module, &prober);
    let mut rows = Vec::new();
    for (story, (simulated, real)) in prober.stories().iter().zip(simulated.iter().zip(&real)) {
        assert_eq!(simulated.len(), story.labels.len(), "{}: notes on host-sim", story.name);
        assert_eq!(real.len(), story.labels.len(), "{}: notes on Envoy", story.name);
        let calls = story.labels.iter().zip(simulated.iter().zip(real));
        rows.extend(
            calls.map(|(label, (simulated, real))| row(story.name, label, simulated, real)),
        );
    }
    let report = Report { file: "the ABI, call by call".to_owned(), rows };
    report.leave(&Built::find().unwrap(), "abi");
    let complaints = report.complaints();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

pub fn row(story: &str, label: &str, simulated: &Note, real: &Note) -> Row {
    let differ = (simulated != real).then(|| "what the guest was told".to_owned());
    Row {
        case: format!("{story}: {label}"),
        host_sim: shown(simulated),
        envoy: Some(shown(real)),
        outcome: Outcome::of(differ.into_iter().collect(), None),
    }
}

/// `0`, `8`, `0 "text"`, `0 "\x04\x00\x00\x00"`.
fn shown(Note { status, gave }: &Note) -> String {
    match gave.as_slice() {
        [] => status.to_string(),
        gave => format!("{status} \"{}\"", gave.escape_ascii()),
    }
}

fn on_host_sim(module: &[u8], prober: &Prober) -> Vec<Vec<Note>> {
    let module = Module::new(module).unwrap();
    let plugin = Plugin::new(&module).name("leasehold").vm_id("leasehold");
    let mut host = Host::builder().plugin(plugin).start().unwrap();
    let stories = prober.stories().iter().enumerate();
    stories
        .map(|(number, story)| {
            let path = Prober::path(number);
            let mut request = match story.with_body {
                false => Request::get("probe.test", &path),
                true => Request::post("probe.test", &path, BODY),
            };
            for (name, value) in HEADERS {
                request = request.header(name, value);
            }
            let outcome = host.exchange(request);
            let Some(reply) = outcome.received else {
                panic!("story {number} on host-sim:\n{}", host.transcript())
            };
            notes(&reply.body)
        })
        .collect()
}

fn on_envoy(module: &[u8], prober: &Prober) -> Vec<Vec<Note>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prober.wasm");
    fs::write(&path, module).unwrap();
    let stack = Stack::builder()
        .way(Way::Gateway)
        .policy(json!({}))
        .filter(&path)
        .names(["probe.test"])
        .start();
    let stack = stack.unwrap_or_else(|error| panic!("{error:#}"));
    // One connection: on another worker there is another VM, which counts its metrics itself.
    let mut wire = Wire::new(guest::dial(stack.edge()).unwrap());
    let stories = prober.stories().iter().enumerate();
    stories
        .map(|(number, story)| {
            let (method, body) = if story.with_body { ("POST", BODY) } else { ("GET", "") };
            let path = Prober::path(number);
            let mut text = format!("{method} {path} HTTP/1.1\r\nHost: probe.test\r\n");
            if story.with_body {
                let _ = write!(text, "content-length: {}\r\n", body.len());
            }
            for (name, value) in HEADERS {
                let _ = write!(text, "{name}: {value}\r\n");
            }
            let reply = wire.exchange(text + "\r\n" + body).unwrap_or_else(|error| {
                panic!(
                    "{}: {error:#}
{}",
                    story.name,
                    stack.envoy().unwrap().log().unwrap()
                )
            });
            assert_eq!(reply.status, 200, "{}", stack.envoy().unwrap().log().unwrap());
            notes(&reply.body)
        })
        .collect()
}
