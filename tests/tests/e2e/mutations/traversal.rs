//! `/v1/../admin` in some thousand spellings.

use super::{Guest, in_both_postures, targets};

const DOTS: [&str; 26] = [
    "..",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "%25252e%25252e",
    "%c0%ae%c0%ae",
    "%u002e%u002e",
    "%uff0e%uff0e",
    "..;",
    "..;a=b",
    "..%3b",
    "..%253b",
    "..%3Fx",
    "..%23",
    "..%00",
    "..%2500",
    "..%0d",
    "..%20",
    "..%2520",
    "..%09",
    "...",
    "....",
    ".%00.",
    "%2e%2e%3b",
    "..%5c",
];
const SLASHES: [&str; 17] = [
    "/",
    "//",
    "/./",
    "/%2e/",
    "/;/",
    "%2f",
    "%252f",
    "%25252f",
    "\\",
    "%5c",
    "%255c",
    "%c0%af",
    "%e0%80%af",
    "%u2215",
    "/%20/",
    "%00/",
    "%0a/",
];
const PREFIXES: [&str; 3] = ["/v1/", "/v1/x/", "/v1"];
const SUFFIXES: [&str; 3] = ["admin", "admin?x=/v1/", "admin%23/v1/"];

/// Every one in so many goes through the explicit posture, where each refusal costs a handshake.
const SAMPLE: usize = 7;

#[test]
fn no_spelling_of_a_traversal_arrives_as_a_path_outside_the_rule() {
    let words: Vec<String> = words().collect();
    assert!(words.len() > 4000, "{}", words.len());
    in_both_postures(|scene, is_explicit| {
        let mut guest = Guest::new(scene, is_explicit);
        let step = if is_explicit { SAMPLE } else { 1 };
        let mut let_through = 0;
        for (number, word) in words.iter().enumerate().step_by(step) {
            let headers = guest.headers();
            let request = format!("GET {word} HTTP/1.1\r\n{headers}\r\n");
            let reply = guest.ask(request.as_bytes());
            let_through += usize::from(reply.is_some_and(|reply| reply.status == 200));
            if number % (step * 256) == 0 {
                guest.is_served("/v1/honest", word.as_bytes());
            }
        }
        let arrived = targets(scene);
        assert!(let_through > 0, "some words are ordinary names, such as `...`");
        for target in &arrived {
            for reading in readings(target) {
                assert_eq!(
                    reading.first().map(String::as_str),
                    Some("v1"),
                    "{target}: {reading:?}"
                );
            }
        }
        println!("{} words, {let_through} let through, {} targets", words.len(), arrived.len());
    });
}

fn words() -> impl Iterator<Item = String> {
    let spelled = |(prefix, dots, slash, suffix): (&str, &str, &str, &str)| {
        let once = format!("{prefix}{dots}{slash}{suffix}");
        let twice = format!("{prefix}{dots}{slash}{dots}{slash}{suffix}");
        [once, twice]
    };
    let all = PREFIXES.into_iter().flat_map(|prefix| {
        DOTS.into_iter().flat_map(move |dots| {
            SLASHES.into_iter().flat_map(move |slash| {
                SUFFIXES.into_iter().map(move |suffix| (prefix, dots, slash, suffix))
            })
        })
    });
    all.flat_map(spelled)
}

/// The segments that servers make of a target: decoded up to three times, cut off at what some take for
/// an end, with `\` for `/`, and with the dot segments worked out.
fn readings(target: &str) -> Vec<Vec<String>> {
    let mut forms = vec![target.split('?').next().unwrap_or_default().as_bytes().to_vec()];
    for depth in 0..3 {
        forms.push(decoded(&forms[depth]));
    }
    let cuts: [&[u8]; 4] = [b"", b"?#\0", b";?#\0", b";"];
    let mut readings = Vec::new();
    for form in forms {
        for cut in cuts {
            for is_cut_for_good in [true, false] {
                readings.push(reading(&form, cut, is_cut_for_good));
            }
        }
    }
    readings
}

fn reading(path: &[u8], cut: &[u8], is_cut_for_good: bool) -> Vec<String> {
    let is_cut = |byte: &u8| cut.contains(byte);
    let path = match is_cut_for_good {
        true => path.split(is_cut).next().unwrap_or_default(),
        false => path,
    };
    let mut segments = Vec::new();
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        let segment = segment.split(is_cut).next().unwrap_or_default();
        match String::from_utf8_lossy(segment).trim() {
            "" | "." => {}
            ".." => _ = segments.pop(),
            name => segments.push(name.to_owned()),
        }
    }
    segments
}

/// Once; overlong UTF-8 and `%uXXXX` too, as some servers have done.
fn decoded(text: &[u8]) -> Vec<u8> {
    let hex = |at: usize, digits: usize| {
        let digits =
            text.get(at..at + digits).and_then(|digits| std::str::from_utf8(digits).ok())?;
        u32::from_str_radix(digits, 16).ok()
    };
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let (byte, taken) = match (text[at], text.get(at + 1)) {
            (b'%', Some(b'u' | b'U')) => match hex(at + 2, 4) {
                Some(0x2e | 0xff0e) => (b'.', 6),
                Some(0x2f | 0x2215 | 0xff0f) => (b'/', 6),
                _ => (b'%', 1),
            },
            (b'%', _) => match hex(at + 1, 2) {
                Some(byte) => (byte as u8, 3),
                None => (b'%', 1),
            },
            (byte, _) => (byte, 1),
        };
        out.push(byte);
        at += taken;
    }
    let overlong: [(&[u8], &[u8]); 3] =
        [(b"\xc0\xae", b"."), (b"\xc0\xaf", b"/"), (b"\xe0\x80\xaf", b"/")];
    overlong.into_iter().fold(out, |text, (from, to)| replaced(&text, from, to))
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        if text[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

#[test]
fn a_target_that_leaves_the_rule_is_read_so() {
    for target in [
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/%252e%252e%252fadmin",
        "/v1/..;/admin",
        "/v1/..%3b/admin",
        "/v1/..\\admin",
        "/v1/%c0%ae%c0%ae/admin",
        "/v1/%uff0e%uff0e/admin",
        "/v1/..%20/admin",
    ] {
        let leaves = |reading: &Vec<String>| reading.first().map(String::as_str) != Some("v1");
        assert!(readings(target).iter().any(leaves), "{target}");
    }
    assert!(readings("/v1/a%3Ab").iter().all(|reading| reading[0] == "v1"));
}
