//! Property: whatever is asked for, a leaf is only ever minted for a name the policy names.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so this way")]

mod common;

use common::{Turned, minter};
use leaf_ca::minter::Refusal;
use proptest::prelude::*;

/// The rule once more, written the slow way, on the text of the patterns.
fn allowed(patterns: &[String], asked: &str) -> bool {
    let asked = asked.to_ascii_lowercase();
    let asked = asked.strip_suffix('.').unwrap_or(&asked);
    let labels: Vec<&str> = asked.split('.').collect();
    patterns.iter().any(|pattern| {
        let wanted: Vec<&str> = pattern.split('.').collect();
        match wanted.split_first() {
            Some((&"*", suffix)) => labels.len() > suffix.len() && labels.ends_with(suffix),
            _ => labels == wanted,
        }
    })
}

/// Few labels, so that names and patterns meet often.
fn name() -> impl Strategy<Value = String> {
    let label = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("example"), Just("x-1")];
    (proptest::collection::vec(label, 1..4)).prop_map(|labels| labels.join("."))
}

fn pattern() -> impl Strategy<Value = String> {
    (any::<bool>(), name()).prop_map(|(below, name)| match below {
        true => format!("*.{name}.example"),
        false => name,
    })
}

fn asked() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (name(), prop_oneof![Just(""), Just(".example"), Just(".EXAMPLE."), Just(".")])
            .prop_map(|(name, end)| name + end),
        1 => "\\PC{0,40}",
        1 => Just("*.example".to_owned()),
        1 => Just("*".to_owned()),
    ]
}

proptest! {
    #[test]
    fn never_outside_the_policy(
        patterns in proptest::collection::vec(pattern(), 0..4),
        asked in proptest::collection::vec(asked(), 1..12),
    ) {
        let policy = format!("hosts: {patterns:?}");
        let minter = minter(&policy, 4, &Turned::default());
        for asked in &asked {
            match minter.leaf(asked) {
                Ok(leaf) => {
                    prop_assert!(allowed(&patterns, asked), "{asked:?} under {patterns:?}");
                    prop_assert!(leaf.certificate_pem.contains("CERTIFICATE"));
                }
                Err(Refusal::NotInPolicy) => {
                    prop_assert!(!allowed(&patterns, asked), "{asked:?} under {patterns:?}");
                }
                Err(Refusal::NoName(_)) => {}
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
