//! A path that is let through is read in every way servers read paths, and none of them leaves the rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use edge::policy::glob::PathGlob;
use edge::policy::path::{CanonicalPath, Target};
use proptest::prelude::*;
use std::collections::BTreeSet;

const RULES: [&str; 15] = [
    "/**",
    "/v1/**",
    "/v1/*",
    "/v1/*/a",
    "/v1/*/a/**",
    "/v1/a*",
    "/v1/*a",
    "/v1/a*b",
    "/v1/a*/b",
    "/v1/*5",
    "/v1/b*/**",
    "/**/a*",
    "/**/a/*",
    "/v1/**/a",
    "/*/a/**/b",
];

/// Pieces of paths; the second half of them is what attacks are made of.
const PIECES: [&str; 44] = [
    "/",
    "/",
    "/",
    "/",
    "a",
    "b",
    "v1",
    "a/b",
    "/a/",
    "5",
    ".",
    "..",
    "%3B",
    "%3F",
    "%23",
    "%20",
    "%25",
    "%2525",
    "%00",
    "%2500",
    "%2f",
    "%252f",
    "%25252F",
    "%5c",
    "%255c",
    "%253b",
    "%25253b",
    "%253f",
    "%2523",
    "%2520",
    "%2e",
    "%252e",
    "%25252e",
    "%25%32%65",
    "2e",
    "3b",
    "25",
    ";",
    "?",
    "#",
    "%61",
    "%2561",
    "%25c0%25ae",
    "\\",
];

/// The segments of a path, as one server or another takes it.
type Reading = Vec<Vec<u8>>;

/// An escape that is none stays as it is.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.filter(|_| text[at] == b'%') {
            Some(digits) => {
                decoded.push(u8::from_str_radix(digits, 16).unwrap());
                at += 3;
            }
            None => {
                decoded.push(text[at]);
                at += 1;
            }
        }
    }
    decoded
}

/// What some servers do to a path that they have decoded.
type Habit = fn(&[u8]) -> Vec<u8>;

/// Each server has some of them.
const HABITS: [Habit; 7] = [
    |path| path.iter().map(|b| if *b == b'\\' { b'/' } else { *b }).collect(),
    |path| truncate(path, b";"),
    |path| truncate(path, b"?"),
    |path| truncate(path, b"#"),
    |path| truncate(path, b"\0"),
    |path| each_segment(path, |segment| truncate(segment, b";")),
    |path| each_segment(path, |segment| segment.trim_ascii().to_vec()),
];

fn truncate(path: &[u8], at: &[u8]) -> Vec<u8> {
    path.split(|b| at.contains(b)).next().unwrap().to_vec()
}

fn each_segment(path: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    path.split(|b| *b == b'/').map(change).collect::<Vec<_>>().join(&b'/')
}

fn resolve(path: &[u8], collapse: bool) -> Reading {
    let mut segments: Reading = Vec::new();
    let mut parts = path.split(|b| *b == b'/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        match part {
            b"." | b".." => {
                if part == b".." {
                    segments.pop();
                }
                if is_last {
                    segments.push(Vec::new());
                }
            }
            b"" if collapse && !is_last => {}
            _ => segments.push(part.to_vec()),
        }
    }
    segments
}

fn readings(path: &str) -> BTreeSet<Reading> {
    let mut readings = BTreeSet::new();
    let mut decoded = path.as_bytes().to_vec();
    for _ in 0..4 {
        for habits in 0..1_u32 << HABITS.len() {
            let has = |n: usize| habits & (1 << n) != 0;
            let read = (0..HABITS.len())
                .filter(|n| has(*n))
                .fold(decoded.clone(), |path, n| HABITS[n](&path));
            readings.insert(resolve(&read, true));
            readings.insert(resolve(&read, false));
        }
        decoded = decode(&decoded);
    }
    readings
}

/// The meaning of a rule, written down a second time.
fn is_within(rule: &[&str], reading: &[Vec<u8>]) -> bool {
    match (rule.split_first(), reading.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), None) => is_within(rest, reading),
        (Some((&"**", rest)), Some((_, behind))) => {
            is_within(rest, reading) || is_within(rule, behind)
        }
        (Some((&"*", rest)), Some((segment, behind))) => {
            !segment.is_empty() && is_within(rest, behind)
        }
        (Some((own, rest)), Some((segment, behind))) => {
            let fits = match own.split_once('*') {
                None => own.as_bytes() == segment.as_slice(),
                Some((start, end)) => {
                    segment.len() >= start.len() + end.len()
                        && segment.starts_with(start.as_bytes())
                        && segment.ends_with(end.as_bytes())
                }
            };
            fits && is_within(rest, behind)
        }
        _ => false,
    }
}

/// The reading that leaves a rule under which the path is let through.
fn escape(rule: &str, raw: &str) -> Option<(String, Reading)> {
    let path = Target::parse(raw.as_bytes()).ok()?.path;
    let glob: PathGlob = rule.parse().unwrap();
    if !glob.matches(&path) {
        return None;
    }
    let parts: Vec<&str> = rule.split('/').skip(1).collect();
    let left = readings(path.as_str()).into_iter().find(|reading| !is_within(&parts, reading));
    left.map(|reading| (path.as_str().to_owned(), reading))
}

#[test]
fn paths_that_hide_dot_segments_are_refused() {
    for raw in [
        "/v1/x/..%253b/..%253b/admin",
        "/v1/x/..%2520/..%2520/admin",
        "/v1/x/..%253f/admin",
        "/v1/x/..%2523/admin",
        "/v1/x/..%2500/admin",
        "/v1/..%3F/admin",
        "/v1/..%23/admin",
        "/v1/..%3fx",
        "/v1/%2525252e%2525252e/admin",
        "/v1/%25c0%25ae%25c0%25ae/admin",
    ] {
        assert!(CanonicalPath::parse(raw.as_bytes()).is_err(), "{raw}");
    }
}

#[test]
fn a_path_that_can_be_cut_off_passes_only_where_the_rest_is_allowed_too() {
    for (rule, raw, passes) in [
        ("/v1/**", "/v1/who%3F/x", true),
        ("/v1/*", "/v1/who%3F", true),
        ("/v1/*", "/v1/%3Fwho", false),
        ("/v1/*/a", "/v1/who%3F/a", false),
        ("/v1/*/a", "/v1/who%253F/a", false),
        ("/v1/a*b", "/v1/a%23b", false),
        ("/rooms/**", "/rooms/%23general", true),
        // The operator's own text is no surprise to the operator.
        ("/rooms/%23general/messages", "/rooms/%23general/messages", true),
        ("/rooms/%23general/**", "/rooms/%23general/messages", true),
        ("/v1/*/a", "/v1/100%25/a", true),
        ("/v1/*/a", "/v1/a%20b/a", true),
        ("/v1/*/a", "/v1/a%2520b/a", true),
        ("/v1/*5", "/v1/%25%36%35", false),
        ("/v1/*%20x", "/v1/a%20x", true),
    ] {
        let path = CanonicalPath::parse(raw.as_bytes()).unwrap();
        let glob: PathGlob = rule.parse().unwrap();
        assert_eq!(glob.matches(&path), passes, "{rule} {raw}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_reading_of_a_path_leaves_its_rule(
        rule in proptest::sample::select(&RULES[..]),
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 1..9),
    ) {
        let raw = format!("/v1/{}", pieces.concat());
        prop_assert_eq!(escape(rule, &raw), None, "{} under {}", raw, rule);
    }
}
