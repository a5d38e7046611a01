//! The web platform tests' URL data against our hosts: where browsers refuse a host, or read another than we do,
//! we refuse it. The data is in the crate `url`, whose digest is in `Cargo.lock`.
#![allow(clippy::unwrap_used, clippy::panic)]

use lease::{Authority, Host, HostPattern};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

const SCHEMES: [(&str, u16); 5] =
    [("http", 80), ("https", 443), ("ws", 80), ("wss", 443), ("ftp", 21)];

/// Cargo unpacks every crate of `Cargo.lock`, and verifies its digest.
fn cases() -> Vec<Value> {
    let mut metadata = Command::new(std::env::var("CARGO").unwrap());
    metadata.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    let output = metadata.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let url = packages.iter().find(|package| package["name"] == "url").unwrap();
    let manifest = Path::new(url["manifest_path"].as_str().unwrap());
    let data = std::fs::read(manifest.with_file_name("tests").join("urltestdata.json")).unwrap();
    serde_json::from_slice(&data).unwrap()
}

/// The authority as it stands in the input, and the port that it means without one.
fn authority(input: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = input.split_once("://")?;
    let (_, port) = SCHEMES.into_iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known))?;
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    Some((&rest[..end], port))
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[test]
fn host_that_browsers_refuse_or_read_otherwise_is_refused() {
    let (mut accepted, mut refused, mut invalid) = (0, 0, 0);
    for case in cases().iter().filter(|case| case.is_object()) {
        let input = case["input"].as_str().unwrap();
        let Some((text, default_port)) = authority(input) else { continue };
        let is_invalid = case["failure"] == true;
        invalid += usize::from(is_invalid);
        let Ok(ours) = Authority::parse(text.as_bytes(), default_port) else {
            refused += 1;
            continue;
        };
        accepted += 1;
        assert!(!is_invalid, "{input:?}: browsers refuse what we read as {ours}");
        let theirs = case["hostname"].as_str().unwrap();
        assert_eq!(ours.host.text(), without_dot(theirs), "{input:?}");
        let port = case["port"].as_str().unwrap();
        let port = if port.is_empty() { default_port } else { port.parse().unwrap() };
        assert_eq!(ours.port, port, "{input:?}");
    }
    eprintln!("{accepted} accepted, {refused} refused, {invalid} that browsers refuse");
    assert!(accepted > 50 && refused > 150 && invalid > 100, "{accepted} {refused} {invalid}");
}

/// A policy's host is written by an operator; one that browsers refuse is a mistake.
#[test]
fn pattern_of_a_host_that_browsers_refuse_is_refused() {
    let mut judged = 0;
    for case in cases().iter().filter(|case| case["failure"] == true) {
        let Some((text, _)) = authority(case["input"].as_str().unwrap()) else { continue };
        // The port may be what is wrong with it.
        let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
        if Host::parse(host.as_bytes()).is_ok() && host != text {
            continue;
        }
        assert!(text.parse::<HostPattern>().is_err(), "{text:?}");
        assert!(format!("*.{text}").parse::<HostPattern>().is_err(), "*.{text:?}");
        judged += 1;
    }
    assert!(judged > 100, "{judged}");
}
