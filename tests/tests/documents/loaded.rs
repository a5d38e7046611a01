//! Configurations in the pages, given to what reads them.

use std::fs;
use std::process::Command;

use edge::config::Config;
use serde_json::Value;
use stack::built::Built;
use tests::namespace::succeeded;

use crate::blocks;

#[test]
fn every_policy_is_one_that_the_filter_takes() {
    let mut read = 0;
    for block in blocks::all().iter().filter(|block| block.kind() == ("yaml", "policy")) {
        let policy: Value = serde_yaml_ng::from_str(&block.text).unwrap();
        if let Err(errors) = Config::read(policy.to_string().as_bytes()) {
            panic!("{}: {errors:?}", block.place());
        }
        read += 1;
    }
    assert!(read > 0);
}

/// `policies/`: each has its cases, which host-sim and Envoy play.
#[test]
fn every_ready_policy_is_one_that_the_filter_takes() {
    let folder = Built::root().join("policies");
    let keys = serde_json::json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }]});
    let mut read = 0;
    for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# ") && text.contains("\n# Opens: "), "{}", path.display());
        assert!(text.contains("\n# Stays closed: "), "{}", path.display());
        let mut policy: Value = serde_yaml_ng::from_str(&text).unwrap();
        policy["session"]["keys"]["jwks"] = keys.clone();
        if let Err(errors) = Config::read(policy.to_string().as_bytes()) {
            panic!("{}: {errors:?}", path.display());
        }
        assert!(
            folder.join("cases").join(path.file_name().unwrap()).exists(),
            "{}",
            path.display()
        );
        read += 1;
    }
    assert!(read > 0);
}

/// Cases pass on the filter, with the policy of host-sim's example; where the page says what is
/// printed, it is.
#[test]
fn every_case_passes_and_prints_what_the_page_says() {
    let examples = Built::root().join("host-sim/examples");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(examples.join("policy.yaml"), folder.path().join("policy.yaml")).unwrap();
    let built = Built::find().unwrap();
    fs::copy(built.filter().unwrap(), folder.path().join("filter.wasm")).unwrap();
    let request = "GET /repos/acme/x HTTP/1.1\nHost: api.github.com\n";
    fs::write(folder.path().join("request.http"), request).unwrap();
    let sim = |words: &[&str]| {
        let mut sim = Command::new(built.program("host-sim").unwrap());
        let output = succeeded(sim.current_dir(folder.path()).args(words));
        String::from_utf8(output.stdout).unwrap()
    };
    let blocks = blocks::all();
    let mut played = 0;
    for (at, block) in blocks.iter().enumerate() {
        if block.kind() != ("yaml", "cases") {
            continue;
        }
        fs::write(folder.path().join("policy-test.yaml"), &block.text).unwrap();
        let printed = sim(&["test", "filter.wasm", "policy-test.yaml"]);
        if let Some(told) = blocks.get(at + 1).filter(|next| next.kind() == ("text", "cases")) {
            assert_eq!(printed, told.text, "{}", told.place());
        }
        played += 1;
    }
    assert!(played > 1, "the cases are not found");
    for block in blocks.iter().filter(|block| block.kind() == ("console", "host-sim")) {
        for command in block.text.lines().filter_map(|line| line.strip_prefix("$ host-sim ")) {
            let words: Vec<_> = command.split('#').next().unwrap().split_whitespace().collect();
            let mut sim = Command::new(built.program("host-sim").unwrap());
            let output = sim.current_dir(folder.path()).args(words).output().unwrap();
            // 1: the request was denied, which has no session here. What cannot be done is 2 and more.
            assert!(matches!(output.status.code(), Some(0 | 1)), "{command}: {output:?}");
        }
    }
}
