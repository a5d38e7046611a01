//! The rules of the house, read from the house itself: who may import whom, what the module is made
//! of, how long a file may be, and that what is written down is what the code says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "house/imports.rs"]
mod imports;
#[path = "house/layers.rs"]
mod layers;
#[path = "house/tokens.rs"]
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edge::config::Config;
use edge::policy::denial::Denial;
use edge::policy::denial::reason::Reason;
use serde_json::Value;
use stack::built::Built;
use stack::envoy::EnvoyBinary;
use stack::{Stack, Way};

/// Who may import whom of ours, as ARCHITECTURE.md draws it. Tools and tests may import all.
const ARROWS: [(&str, &[&str]); 17] = [
    ("session", &[]),
    ("lease", &[]),
    ("edge", &["session", "lease"]),
    ("filter", &["edge"]),
    ("custody-base", &["lease"]),
    ("custody-ledger", &["custody-base", "lease"]),
    ("custody-audit", &["custody-base", "lease"]),
    ("custody-backends", &["custody-base", "custody-ledger", "custody-audit", "lease"]),
    (
        "custody",
        &[
            "session",
            "lease",
            "custody-base",
            "custody-ledger",
            "custody-audit",
            "custody-backends",
        ],
    ),
    // Must not share our misunderstandings.
    ("leaf-ca", &[]),
    ("host-sim", &[]),
    // Its guest `signatures` judges signatures by the code under test, compiled to WebAssembly.
    ("sdk-guests", &["session"]),
    ("session-jwt", &["session"]),
    ("ext-authz", &["session"]),
    // Properties of all that parses; no program of ours is made of it.
    ("fuzz", &["session", "lease", "edge", "custody", "custody-audit", "host-sim"]),
    ("stack", &["session"]),
    ("xtask", &["stack", "session", "edge"]),
];

/// What only a package's own tests import: the OpenBao and the PostgreSQL that custody calls.
const IN_TESTS: [(&str, &str); 3] =
    [("custody", "stack"), ("custody-ledger", "stack"), ("custody-backends", "session")];

/// What is made with the Rust SDK: the filter, and the guests that host-sim's tests run.
const MODULES: [&str; 2] = ["filter", "sdk-guests"];

/// Bytes; what every worker compiles at its start.
const MODULE_CEILING: usize = 1_300_000;
/// Lines of one source file, tests aside.
const FILE_CEILING: usize = 400;
/// The same of a file of tests.
const TEST_FILE_CEILING: usize = 500;

fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = cargo.args(arguments).current_dir(Built::root()).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {complaint}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// What cargo knows of our packages.
fn metadata() -> Value {
    let text = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    serde_json::from_str(&text).unwrap()
}

/// Our packages with the names of all they depend on, for whatever purpose, and whether that is their
/// tests alone.
fn packages() -> BTreeMap<String, BTreeMap<String, bool>> {
    let metadata = metadata();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let mut dependencies = BTreeMap::new();
            for dependency in package["dependencies"].as_array().unwrap() {
                let in_tests = dependency["kind"] == "dev";
                // The same one may stand there twice, for the tests with another feature.
                *dependencies.entry(name(dependency)).or_insert(true) &= in_tests;
            }
            (name(package), dependencies)
        })
        .collect()
}

#[test]
fn nobody_imports_whom_it_should_not() {
    let packages = packages();
    let allowed: BTreeMap<_, _> = ARROWS.into_iter().collect();
    for (package, dependencies) in &packages {
        if package == "tests" {
            continue;
        }
        let allowed = allowed.get(package.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("{package}: whom may it import? Say so"));
        for (dependency, in_tests) in
            dependencies.iter().filter(|(name, _)| packages.contains_key(*name))
        {
            let fine = dependency == package
                || allowed.contains(&dependency.as_str())
                || *in_tests && IN_TESTS.contains(&(package, dependency));
            assert!(fine, "{package} imports {dependency}");
        }
        let wasm = dependencies.contains_key("proxy-wasm");
        let may = MODULES.contains(&package.as_str());
        assert_eq!(wasm, may, "{package}: only the filter and host-sim's guests name proxy-wasm");
    }
    assert!(packages["edge"].contains_key("session"), "the arrows are not read");
}

/// `cargo nextest run` without a package runs the tests of the default members alone.
#[test]
fn every_package_but_the_modules_is_a_default_member() {
    let metadata = metadata();
    let names: BTreeMap<_, _> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    let default = metadata["workspace_default_members"].as_array().unwrap();
    let default: BTreeSet<_> = default.iter().map(|id| names[id.as_str().unwrap()]).collect();
    let native = names.values().filter(|name| !MODULES.contains(name)).copied();
    assert_eq!(default, native.collect(), "default-members in Cargo.toml");
}

#[test]
fn the_filter_is_made_of_no_runtime() {
    let target = ["--target", "wasm32-wasip1"];
    let tree = [&["tree", "-p", "filter", "-e", "normal,build", "--prefix", "none"], &target[..]];
    let tree = cargo(&tree.concat());
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("edge") && names.contains("proxy-wasm"), "{tree}");
    for name in ["tokio", "mio", "hyper", "rustls", "ring", "schemars", "wasm-bindgen"] {
        assert!(!names.contains(name), "the filter is made of {name}:\n{tree}");
    }
}

#[test]
fn the_module_is_small_and_has_no_door_too_many() {
    let module = fs::read(Built::find().unwrap().filter().unwrap()).unwrap();
    assert!(module.len() < MODULE_CEILING, "{} bytes", module.len());
    stack::module::check(&module).unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn no_source_file_is_long() {
    for file in all_sources() {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        assert!(lines <= FILE_CEILING, "{}: {lines} lines", file.display());
    }
}

#[test]
fn no_test_file_is_long() {
    let folders = package_folders().into_values();
    let files: BTreeSet<_> = folders.flat_map(|folder| rust_files(&folder)).collect();
    let files: Vec<_> = files.iter().filter(|file| holds_tests(file)).collect();
    assert!(files.len() > 150, "only {} files found", files.len());
    for file in files {
        let lines = fs::read_to_string(file).unwrap().lines().count();
        assert!(lines <= TEST_FILE_CEILING, "{}: {lines} lines", file.display());
    }
}

/// Does the file hold tests alone?
fn holds_tests(file: &Path) -> bool {
    let own = file.strip_prefix(Built::root()).unwrap();
    let is_in_a_folder_of_tests = own.iter().rev().skip(1).any(|folder| folder == "tests");
    let name = own.file_stem().unwrap().to_str().unwrap();
    is_in_a_folder_of_tests || name == "tests" || name.ends_with("_tests")
}

/// All Rust files below `folder`.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|_| panic!("{}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let found = paths.flat_map(|path| match path.is_dir() {
        true => rust_files(&path),
        false => vec![path],
    });
    found.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

/// `name.rs`, its parts in `name/`.
#[test]
fn a_module_lies_beside_the_folder_of_its_parts() {
    for file in all_sources() {
        assert_ne!(file.file_name().unwrap(), "mod.rs", "{}", file.display());
    }
}

/// Our packages, with the folder of each.
fn package_folders() -> BTreeMap<String, PathBuf> {
    let folder = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        (package["name"].as_str().unwrap().to_owned(), manifest.parent().unwrap().to_owned())
    };
    metadata()["packages"].as_array().unwrap().iter().map(folder).collect()
}

/// The Rust files of all our packages, tests aside.
fn all_sources() -> Vec<PathBuf> {
    let folders = package_folders().into_values();
    let files: Vec<_> = folders.flat_map(|folder| sources(&folder.join("src"))).collect();
    assert!(files.len() > 100, "only {} files found", files.len());
    files
}

/// The Rust files below `folder`, without those that hold tests alone.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|_| panic!("{}", folder.display()));
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        match path.is_dir() {
            true if name != "tests" => found.extend(sources(&path)),
            false if name.ends_with(".rs") && name != "tests.rs" => found.push(path),
            _ => {}
        }
    }
    found
}

#[test]
fn the_checked_in_schema_is_the_generated_one() {
    let file = Built::root().join("edge/leasehold.schema.json");
    let written: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let generated = serde_json::to_value(Config::schema()).unwrap();
    assert_eq!(written, generated, "run `cargo xtask schema` and commit the file");
}

#[test]
fn the_table_of_denials_is_the_code() {
    let text = fs::read_to_string(Built::root().join("docs/denials.md")).unwrap();
    // What follows are codes of the shipped Envoy files.
    let (text, _) = text.split_once("## What Envoy refuses").unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let table: Vec<_> = rows
        .map(|row| {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [code, status, meaning, what_to_do] = cells[..] else { panic!("{row}") };
            assert!(meaning.ends_with('.') && what_to_do.ends_with('.'), "{row}");
            (code.trim_matches('`').to_owned(), status.to_owned())
        })
        .collect();
    let code = Denial::ALL.map(|denial| {
        let Reason { code, status, .. } = denial.reason();
        let status = if status == 401 { "401/407".to_owned() } else { status.to_string() };
        (code.to_owned(), status)
    });
    assert_eq!(table, code, "docs/denials.md and edge/src/policy/denial.rs");
}

/// Every shipped file, with what a stack has to put into it and nothing else changed.
#[test]
fn every_shipped_envoy_configuration_is_valid() {
    let binary = EnvoyBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
    let mut validated = BTreeSet::new();
    for way in [Way::Explicit, Way::Gateway] {
        let stack = Stack::builder().way(way).start().unwrap_or_else(|error| panic!("{error:#}"));
        let mut settings = stack.settings().clone();
        (settings.private_upstreams, settings.resolver) = (false, None);
        let file = stack.folder().join("validated.yaml");
        for retry in [false, true] {
            settings.retry = retry;
            fs::write(&file, settings.render().unwrap()).unwrap();
            binary.validate(&file).unwrap_or_else(|error| panic!("{error}"));
        }
        validated.insert(format!("{}.yaml", way.name()));
    }
    assert_eq!(shipped().into_keys().collect::<BTreeSet<_>>(), validated, "files in envoy/");
}

/// The examples in the shipped files are configurations that the filter takes.
#[test]
fn every_shipped_policy_is_one() {
    for (name, text) in shipped() {
        let file: Value = serde_yaml_ng::from_str(&text).unwrap();
        let mut policies = Vec::new();
        collect_policies(&file, &mut policies);
        assert!(!policies.is_empty(), "{name} has no plugin configuration");
        for policy in policies {
            // Envoy hands both over as JSON: a Struct, and a StringValue as it stands.
            let text = policy.as_str().map_or_else(|| policy.to_string(), str::to_owned);
            let read = Config::read(text.as_bytes());
            assert!(read.is_ok(), "{name}: {}", read.err().unwrap());
        }
    }
}

fn shipped() -> BTreeMap<String, String> {
    let entries = fs::read_dir(Built::root().join("envoy")).unwrap().map(|entry| entry.unwrap());
    let yaml = entries.filter(|entry| {
        // What kustomize makes a ConfigMap of the others by; the manifests' tests render it.
        let is_envoys = entry.file_name() != "kustomization.yaml";
        is_envoys && entry.path().extension().is_some_and(|end| end == "yaml")
    });
    yaml.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    })
    .collect()
}

/// Whatever stands as the `value` of a plugin's `configuration`.
fn collect_policies(value: &Value, found: &mut Vec<Value>) {
    if let Some(policy) = value.pointer("/configuration/value") {
        found.push(policy.clone());
    }
    let children: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => return,
    };
    for child in children {
        collect_policies(child, found);
    }
}
