//! Leaves of names outside the policy: a memory and a rate of their own.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so this way")]

mod common;

use common::{Turned, minter, minter_with_refused_names};
use leaf_ca::minter::{Minter, Refusal};
use leaf_ca::policy::Policy;
use std::time::Duration;

const POLICY: &str = r#"hosts: [api.example.com, "*.wild.example.com"]"#;

/// More names than the rate lets pass within a test.
fn exhaust(minter: &Minter) -> usize {
    let mut names = (0..1000).map(|number| format!("made-up-{number}.test"));
    names.position(|name| matches!(minter.leaf(&name), Err(Refusal::TooManyRefused))).unwrap()
}

#[test]
fn without_the_setting_no_name_outside_the_policy_gets_a_leaf() {
    let minter = minter(POLICY, 10, &Turned::default());
    assert!(matches!(minter.leaf("other.test"), Err(Refusal::NotInPolicy)));
}

#[test]
fn made_up_names_withdraw_no_leaf_of_the_policy() {
    let minter = minter_with_refused_names(POLICY, 2, 4, &Turned::default());
    let listed = ["api.example.com", "a.wild.example.com"];
    let serials = listed.map(|name| minter.leaf(name).unwrap().serial.clone());
    let minted = exhaust(&minter);
    assert!(minted >= 32, "{minted}");
    for (name, serial) in listed.iter().zip(&serials) {
        assert_eq!(&minter.standing(name).unwrap().serial, serial, "{name}");
    }
    // The rate is of names outside the policy alone.
    assert!(minter.leaf("b.wild.example.com").is_ok());
    let held = (0..minted).filter(|n| minter.standing(&format!("made-up-{n}.test")).is_some());
    assert_eq!(held.count(), 4);
}

#[test]
fn the_rate_recovers_with_time_and_a_remembered_leaf_costs_nothing() {
    let time = Turned::default();
    let minter = minter_with_refused_names(POLICY, 2, 4, &time);
    let minted = exhaust(&minter);
    let last = format!("made-up-{}.test", minted - 1);
    for _ in 0..100 {
        minter.leaf(&last).unwrap();
    }
    time.pass(Duration::from_secs(60));
    assert!(minter.leaf("another.test").is_ok());
}

#[test]
fn only_dns_names_get_a_leaf() {
    let minter = minter_with_refused_names(POLICY, 2, 4, &Turned::default());
    for name in ["", "-", "*", "*.test", "127.0.0.1", "[::1]", "a b.test", "a..test", "0x7f.1"] {
        assert!(matches!(minter.leaf(name), Err(Refusal::NoName(_))), "{name}");
    }
}

#[test]
fn a_policy_that_takes_a_name_in_gives_it_a_leaf_of_the_policy() {
    let minter = minter_with_refused_names(POLICY, 2, 4, &Turned::default());
    minter.leaf("later.test").unwrap();
    minter.replace_policy(Policy::parse("hosts: [later.test]").unwrap());
    assert!(minter.standing("later.test").is_none(), "withdrawn, and asked for again");
    minter.leaf("later.test").unwrap();
    exhaust(&minter);
    assert!(minter.standing("later.test").is_some());
    minter.replace_policy(Policy::parse(POLICY).unwrap());
    assert!(minter.standing("later.test").is_none());
}
