//! The same cases on the simulator and on real Envoy: both must do what a case expects, and whatever
//! can be seen from outside must be the same on both. Where it is not, Envoy is right about hosts.
//!
//! Each test leaves its rows in `target/conformance`, from which `cargo xtask conformance` prints
//! the table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod abi;
mod agreement;
mod answers;
mod clock;
mod edge;
mod exchange;
mod guests;
mod modules;
mod outside;
mod prober;
mod report;
mod run;
mod signatures;
mod stories;
mod surroundings;
mod together;

use stack::built::Built;

/// A test for each file of cases in a folder, so that they run beside each other.
macro_rules! files {
    ($folder:literal, $($name:ident: $file:literal),+ $(,)?) => {
        $(#[test] fn $name() { crate::run::file($folder, $file); })+

        #[test]
        fn every_file_of_cases_is_here() {
            let mut here = vec![$($file.to_owned()),+];
            here.sort();
            assert_eq!(crate::found($folder), here, "a file in {} without its line here", $folder);
        }
    };
}

files! {
    "tests/cases",
    allow_list: "allow-list",
    carriers: "carriers",
    conditions: "conditions",
    custody: "custody",
    explicit: "explicit",
    feed: "feed",
    gateway: "gateway",
    issuers: "issuers",
    links: "links",
    operations: "operations",
    path_syntax: "path-syntax",
    path_syntax_gateway: "path-syntax-gateway",
    paths: "paths",
    refusals: "refusals",
    session_keys: "session-keys",
    sessions: "sessions",
    together: "together",
}

/// The ready policies, with requests of the clients they are for.
mod policies {
    files! {
        "policies/cases",
        anthropic: "anthropic",
        container_registry: "container-registry",
        crates: "crates",
        debian: "debian",
        gemini: "gemini",
        github: "github",
        gitlab: "gitlab",
        jira: "jira",
        npm: "npm",
        openai: "openai",
        pypi: "pypi",
        slack: "slack",
    }
}

/// A guest of our own that pokes at the edges of the ABI, where our filter never comes.
#[test]
fn host_calls_are_the_same_on_both() {
    abi::compare();
}

/// What Envoy knows around a request, in the encoding a guest gets it in.
#[test]
fn surroundings_are_the_same_on_both() {
    surroundings::compare();
}

/// Guests as people write them, with the Rust SDK.
#[test]
fn guests_of_the_sdk_are_the_same_on_both() {
    guests::compare();
}

/// Whole modules of every make, call by call.
#[test]
fn modules_are_the_same_on_both() {
    modules::compare();
}

/// Signatures at the edges of the rules: natively, as WebAssembly, and by both hosts.
#[test]
fn wycheproof_vector_has_one_verdict_before_every_verifier() {
    signatures::compare();
}

/// The names of the files there are, sorted.
fn found(folder: &str) -> Vec<String> {
    let folder = std::fs::read_dir(Built::root().join(folder)).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut cases: Vec<_> =
        names.filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned())).collect();
    cases.sort();
    cases
}
