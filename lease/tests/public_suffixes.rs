//! The Public Suffix List's own test file (public domain, CC0) against wildcards: no wildcard covers a name that
//! belongs to a registry.
#![allow(clippy::unwrap_used)]

use lease::HostPattern;

/// Ours, which is newer than the test file may be.
const RULES: &str = include_str!("../public-suffixes.txt");

/// `checkPublicSuffix('INPUT', 'REGISTRABLE')`, where `null` is the registrable name of a public suffix.
const CASES: &str = include_str!("test_psl.txt");

fn cases() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    let calls = CASES.lines().filter_map(|line| line.strip_prefix("checkPublicSuffix("));
    let pairs = calls.map(|call| call.strip_suffix(");").unwrap().split_once(", ").unwrap());
    let text = |quoted: &'static str| quoted.strip_prefix('\'')?.strip_suffix('\'');
    pairs.filter_map(move |(input, registrable)| Some((text(input)?, text(registrable))))
}

fn is_wildcard_accepted(name: &str) -> bool {
    format!("*.{name}").parse::<HostPattern>().is_ok()
}

#[test]
fn wildcard_below_a_public_suffix_is_refused_and_below_a_registrable_name_accepted() {
    let (mut refused, mut accepted) = (0, 0);
    for (input, registrable) in cases() {
        match registrable {
            None => {
                assert!(!is_wildcard_accepted(input), "*.{input}");
                refused += 1;
            }
            // Internationalised names come as A-labels; the file has each of them in that form too.
            Some(name) if !name.is_ascii() => assert!(!is_wildcard_accepted(name), "*.{name}"),
            Some(name) => {
                assert!(is_wildcard_accepted(name), "*.{name}");
                let (_, suffix) = name.split_once('.').unwrap();
                assert!(!is_wildcard_accepted(suffix), "*.{suffix}");
                accepted += 1;
            }
        }
    }
    assert!(refused >= 25 && accepted >= 45, "{refused} refused, {accepted} accepted");
}

#[test]
fn wildcard_of_every_rule_is_refused_and_of_every_exception_accepted() {
    let mut refused = 0;
    for rule in RULES.lines().filter(|line| !line.starts_with('#')) {
        let rule = rule.trim_start_matches('~');
        match rule.strip_prefix('!') {
            Some(name) => assert!(is_wildcard_accepted(name), "*.{name}"),
            None => {
                let suffix = rule.strip_prefix("*.").unwrap_or(rule);
                assert!(!is_wildcard_accepted(suffix), "*.{suffix}");
                refused += 1;
            }
        }
    }
    assert!(refused > 9_000, "{refused}");
}

/// The decision of docs/threat-model.md: a name that is no suffix itself is accepted, also where suffixes stand
/// deeper below it (`s3.amazonaws.com`).
#[test]
fn wildcard_above_a_deeper_suffix_is_accepted() {
    for name in ["amazonaws.com", "windows.net", "af-south-1.amazonaws.com"] {
        assert!(is_wildcard_accepted(name), "*.{name}");
    }
}
