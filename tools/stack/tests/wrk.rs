//! wrk can be had and runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use stack::wrk::Wrk;

#[test]
fn it_says_how_it_is_used() {
    let output = Wrk::locate_or_fetch(&|line| eprintln!("{line}")).unwrap().command().output();
    let said = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(said.contains("--connections") && said.contains("--latency"), "{said}");
}
