//! Which names belong to a registry rather than to somebody (`com`, `co.uk`, `github.io`).
//!
//! The list is embedded: a filter inside Envoy has no file to read. It is searched as the text it is, so that no
//! VM keeps 10,000 references to it.

use std::cmp::Ordering;

/// Made by `public-suffixes.py`; `#` lines first, then the rules, sorted bytewise.
const LIST: &str = include_str!("../public-suffixes.txt");

/// Is this name itself a public suffix? (The algorithm of the list: the longest matching rule
/// prevails, `!` is an exception, and a name no rule knows has the rule `*`.)
///
/// `name` is canonical: lower-case A-labels without a trailing dot.
pub fn is_public_suffix(name: &str) -> bool {
    if has_rule("!", name) {
        return false;
    }
    if has_rule("", name) {
        return true;
    }
    match name.split_once('.') {
        Some((_, parent)) => has_rule("*.", parent),
        None => true,
    }
}

/// Does `*.name` cover names that belong to a registry: is this name a public suffix, or is every name right
/// below it one (`*.compute.amazonaws.com`)?
pub fn is_covering_public_suffixes(name: &str) -> bool {
    is_public_suffix(name) || has_rule("*.", name)
}

/// The rules, a line each.
fn rules() -> &'static str {
    let mut text = LIST;
    while let Some((_, rest)) = text.split_once('\n').filter(|(line, _)| line.starts_with('#')) {
        text = rest;
    }
    text
}

/// A binary search: the line around the middle, then the half before or behind it.
fn has_rule(mark: &str, name: &str) -> bool {
    let mut text = rules();
    while !text.is_empty() {
        // The list is ASCII, so every place is between two characters.
        let Some((before, behind)) = text.split_at_checked(text.len() / 2) else { return false };
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = behind.find('\n').map_or(text.len(), |at| before.len() + at);
        let Some(rule) = text.get(start..end) else { return false };
        let rest = match rule.bytes().cmp(mark.bytes().chain(name.bytes())) {
            Ordering::Equal => return true,
            Ordering::Less => text.get(end + 1..),
            Ordering::Greater => text.get(..start),
        };
        text = rest.unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_whole() {
        let rules: Vec<_> = rules().lines().collect();
        assert!(rules.is_sorted() && LIST.is_ascii());
        assert!(rules.len() > 9_000, "{} rules", rules.len());
        for rule in rules {
            assert!(has_rule("", rule), "{rule}");
            assert!(!has_rule("", &format!("{rule}-")) && !has_rule("-", rule), "{rule}");
        }
    }

    #[test]
    fn every_parent_of_a_wildcard_rule_is_refused_as_a_wildcard() {
        let parents: Vec<_> = rules().lines().filter_map(|rule| rule.strip_prefix("*.")).collect();
        assert!(parents.len() > 250, "{} parents", parents.len());
        for parent in parents {
            let pattern = format!("*.{parent}");
            let error = pattern.parse::<crate::HostPattern>().err().map(|error| error.to_string());
            assert_eq!(error, Some(format!("{pattern:?} covers a public suffix")));
        }
    }

    #[test]
    fn public_suffixes_are_told_from_names_below_them() {
        for suffix in ["com", "co.uk", "github.io", "s3.amazonaws.com", "xn--p1ai", "made-up-tld"] {
            assert!(is_public_suffix(suffix), "{suffix}");
        }
        for suffix in ["ck", "anything.ck", "city.kawasaki.jp.example", "x.kawasaki.jp"] {
            assert_eq!(is_public_suffix(suffix), !suffix.ends_with("example"), "{suffix}");
        }
        for name in ["compute.amazonaws.com", "nom.br", "sch.uk", "kawasaki.jp", "com"] {
            assert!(is_covering_public_suffixes(name), "{name}");
        }
        for name in ["city.kawasaki.jp", "x.compute.amazonaws.com.example", "example.com"] {
            assert!(!is_covering_public_suffixes(name), "{name}");
        }
        for name in ["example.com", "www.ck", "city.kawasaki.jp", "acme.github.io", "demo.test"] {
            assert!(!is_public_suffix(name), "{name}");
        }
    }
}
