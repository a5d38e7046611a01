//! A path that is let through is read in every way servers read paths, and none of them leaves the rule.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use edge::policy::glob::PathGlob;
use edge::policy::path::{CanonicalPath, Target};
use edge::policy::path_syntax::PathSyntax;
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
const PIECES: [&str; 54] = [
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
    "./",
    "/./",
    "//",
    "a%2F",
    "%2f..",
    ";x",
    "a;",
    "%E9",
    "%A0",
    "%c0%ae",
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

/// Bytes that no path has, for what a server keeps apart.
const PARAMETER: u8 = 1;
const SLASH: u8 = 2;

/// How a path can be read by servers that keep what is allowed apart, as the operator says they do:
/// an encoded slash is data, a `;` ends at most its own segment, a path is decoded at most once.
fn readings(path: &str, allowed: PathSyntax) -> BTreeSet<Reading> {
    let mut readings = BTreeSet::new();
    let mut decoded = apart(path, allowed);
    let often = if allowed.has(PathSyntax::DOUBLE_ENCODING) { 2 } else { 4 };
    for _ in 0..often {
        for habits in 0..1_u32 << HABITS.len() {
            let has = |n: usize| habits & (1 << n) != 0;
            let read = (0..HABITS.len())
                .filter(|n| has(*n))
                .fold(decoded.clone(), |path, n| HABITS[n](&path));
            for read in [read.clone(), each_segment(&read, |part| truncate(part, &[PARAMETER]))] {
                for collapse in [true, false] {
                    readings.insert(together(resolve(&read, collapse)));
                }
            }
        }
        decoded = decode(&decoded);
    }
    readings
}

fn apart(path: &str, allowed: PathSyntax) -> Vec<u8> {
    let mut path = path.to_owned();
    if allowed.has(PathSyntax::ENCODED_SLASH) {
        let slash = char::from(SLASH).to_string();
        path = path.replace("%2F", &slash).replace("%2f", &slash);
    }
    if allowed.has(PathSyntax::PARAMETERS) {
        path = path.replace(';', &char::from(PARAMETER).to_string());
    }
    path.into_bytes()
}

fn together(reading: Reading) -> Reading {
    let spell = |byte: &u8| match *byte {
        SLASH => b"%2F".to_vec(),
        PARAMETER => b";".to_vec(),
        other => vec![other],
    };
    reading.iter().map(|segment| segment.iter().flat_map(spell).collect()).collect()
}

/// All that any server makes of a path, its slashes and parameters included.
fn segments_of_any_server(path: &str) -> BTreeSet<Vec<u8>> {
    let mut segments = BTreeSet::new();
    let mut decoded = path.as_bytes().to_vec();
    for _ in 0..4 {
        let lossy = String::from_utf8_lossy(&decoded).replace('\u{fffd}', "").into_bytes();
        for form in [decoded.clone(), lossy] {
            // The last habit takes blanks away, which another may have laid bare.
            let active = HABITS.iter().enumerate();
            let active = active.filter(|(n, habit)| *n + 1 == HABITS.len() || habit(&form) != form);
            let active: Vec<_> = active.map(|(_, habit)| habit).collect();
            for chosen in 0..1_u32 << active.len() {
                let has = |n: usize| chosen & (1 << n) != 0;
                let chosen = active.iter().enumerate().filter(|(n, _)| has(*n));
                let read = chosen.fold(form.clone(), |path, (_, habit)| habit(&path));
                segments.extend(read.split(|b| *b == b'/').map(<[u8]>::to_vec));
            }
        }
        decoded = decode(&decoded);
    }
    segments
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
fn escape(rule: &str, raw: &str, allowed: PathSyntax) -> Option<(String, Reading)> {
    let path = Target::parse(raw.as_bytes()).ok()?.path;
    let glob: PathGlob = rule.parse().unwrap();
    if !path.syntax().without(allowed).is_empty() || !glob.matches(&path) {
        return None;
    }
    let parts: Vec<&str> = rule.split('/').skip(1).collect();
    let mut readings = readings(path.forwarded(), allowed).into_iter();
    let left = readings.find(|reading| !is_within(&parts, reading));
    left.map(|reading| (path.forwarded().to_owned(), reading))
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

/// Rules that use what they allow.
const OPEN_RULES: [&str; 6] =
    ["/v1/a%2F*", "/v1/a%2F*/**", "/v1/*%2Fa", "/v1/**/*b", "/v1/*a/**/", "/v1/*;*"];

fn raw_path() -> impl Strategy<Value = String> {
    let pieces = proptest::collection::vec(proptest::sample::select(&PIECES[..]), 1..9);
    pieces.prop_map(|pieces| format!("/v1/{}", pieces.concat()))
}

fn rule() -> impl Strategy<Value = &'static str> {
    proptest::sample::select([&RULES[..], &OPEN_RULES[..]].concat())
}

fn syntax() -> impl Strategy<Value = PathSyntax> {
    let all = vec![
        PathSyntax::ENCODED_SLASH,
        PathSyntax::PARAMETERS,
        PathSyntax::EMPTY_SEGMENTS,
        PathSyntax::DOUBLE_ENCODING,
        PathSyntax::NON_UTF8,
    ];
    proptest::sample::subsequence(all, 0..=5).prop_map(PathSyntax::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_reading_of_a_path_leaves_its_rule(rule in proptest::sample::select(&RULES[..]), raw in raw_path()) {
        prop_assert_eq!(escape(rule, &raw, PathSyntax::default()), None, "{} under {}", raw, rule);
    }

    #[test]
    fn no_reading_by_a_server_that_keeps_apart_what_is_allowed_leaves_its_rule(
        rule in rule(), raw in raw_path(), allowed in syntax(),
    ) {
        prop_assert_eq!(escape(rule, &raw, allowed), None, "{} under {} with {}", raw, rule, allowed);
    }

    #[test]
    fn no_reading_of_any_path_that_can_pass_has_a_dot_segment(raw in raw_path()) {
        if let Ok(path) = CanonicalPath::parse(raw.as_bytes()) {
            for segment in segments_of_any_server(path.forwarded()) {
                prop_assert!(segment != b"." && segment != b"..", "{}", raw);
            }
        }
    }
}
