//! Patterns of hosts and of paths: `pattern LF pattern LF host-or-path`.

use edge::policy::glob::PathGlob;
use edge::policy::path::CanonicalPath;
use lease::{Host, HostPattern};

pub fn check(bytes: &[u8]) {
    let Some([a, b, subject]) = parts::<3>(bytes) else { return };
    let (Ok(a), Ok(b)) = (str::from_utf8(a), str::from_utf8(b)) else { return };
    check_hosts(a, b, subject);
    check_paths(a, b, subject);
}

fn check_hosts(a: &str, b: &str, subject: &[u8]) {
    let (Ok(a), Ok(b)) = (a.parse::<HostPattern>(), b.parse::<HostPattern>()) else { return };
    for pattern in [&a, &b] {
        assert_eq!(pattern.to_string().parse().as_ref(), Ok(pattern));
        assert!(pattern.overlaps(pattern), "{pattern}");
    }
    assert_eq!(a.overlaps(&b), b.overlaps(&a), "{a} {b}");
    let Ok(host) = Host::parse(subject) else { return };
    if a.matches(&host) && b.matches(&host) {
        assert!(a.overlaps(&b), "{a} and {b} both match {host}");
    }
    for pattern in [a, b] {
        let text = pattern.to_string();
        let expected = match text.strip_prefix('*') {
            Some(suffix) => {
                let name = host.to_string();
                let is_name = matches!(host, Host::Name(_));
                is_name && name.len() > suffix.len() && name.ends_with(suffix)
            }
            None => text == host.to_string(),
        };
        assert_eq!(pattern.matches(&host), expected, "{text} {host}");
    }
}

fn check_paths(a: &str, b: &str, subject: &[u8]) {
    let (Ok(pattern), Ok(other)) = (a.parse::<PathGlob>(), b.parse::<PathGlob>()) else { return };
    assert!(pattern.overlaps(&pattern), "{a}");
    assert_eq!(pattern.overlaps(&other), other.overlaps(&pattern), "{a} {b}");
    let Ok(path) = CanonicalPath::parse(subject) else { return };
    let text = path.as_str();
    if pattern.matches(&path) && other.matches(&path) {
        assert!(pattern.overlaps(&other), "{a} and {b} both match {text}");
    }
    for (glob, pattern) in [(a, pattern), (b, other)] {
        if !glob.contains('*') {
            assert_eq!(pattern.matches(&path), glob == text, "{glob} {text}");
        } else if pattern.matches(&path) {
            // What is spelled out in front of the first star, but for the slash before a `**`.
            let (spelled, _) = glob.split_once('*').unwrap();
            let spelled = spelled.trim_end_matches('/');
            assert!(text.starts_with(spelled), "{glob} {text}");
        }
    }
}

/// The parts of an input between line feeds, for properties of more than one value.
fn parts<const N: usize>(bytes: &[u8]) -> Option<[&[u8]; N]> {
    let parts: Vec<_> = bytes.splitn(N, |byte| *byte == b'\n').collect();
    parts.try_into().ok()
}
