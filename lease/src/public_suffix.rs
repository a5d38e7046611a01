//! Which names belong to a registry rather than to somebody (`com`, `co.uk`, `github.io`).
//!
//! The list is embedded: a filter inside Envoy has no file to read. It is searched as the text it is, so that no
//! VM keeps 10,000 references to it.

use std::cmp::Ordering;

/// Made by `public-suffixes.py`; `#` lines first, then the rules, sorted bytewise.
const LIST: &str = include_str!("../public-suffixes.txt");

/// Whose names a suffix has below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuffixKind {
    /// A registry's (`com`, `co.uk`), and that of a name without a rule.
    Registry,
    /// A company's, which gives them to customers (`github.io`): the private section of the list.
    Shared,
}

const REGISTRY: &str = "";
const SHARED: &str = "~";

/// The suffix that `*.name` covers: is this name a public suffix, or is every name right below it one
/// (`*.compute.amazonaws.com`)?
///
/// `name` is canonical: lower-case A-labels without a trailing dot.
pub fn covered_suffix(name: &str) -> Option<SuffixKind> {
    if !name.contains('.') || is_covering(REGISTRY, name) {
        return Some(SuffixKind::Registry);
    }
    is_covering(SHARED, name).then_some(SuffixKind::Shared)
}

/// By the algorithm of the list: the longest matching rule prevails, and `!` is an exception.
fn is_covering(section: &str, name: &str) -> bool {
    let is_below_wildcard =
        || name.split_once('.').is_some_and(|(_, parent)| has_rule(section, "*.", parent));
    let is_suffix = || has_rule(section, "", name) || is_below_wildcard();
    has_rule(section, "*.", name) || !has_rule(section, "!", name) && is_suffix()
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
fn has_rule(section: &str, mark: &str, name: &str) -> bool {
    let mut text = rules();
    while !text.is_empty() {
        // The list is ASCII, so every place is between two characters.
        let Some((before, behind)) = text.split_at_checked(text.len() / 2) else { return false };
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = behind.find('\n').map_or(text.len(), |at| before.len() + at);
        let Some(rule) = text.get(start..end) else { return false };
        let wanted = section.bytes().chain(mark.bytes()).chain(name.bytes());
        let rest = match rule.bytes().cmp(wanted) {
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
            assert!(has_rule("", "", rule), "{rule}");
            assert!(!has_rule("", "", &format!("{rule}-")) && !has_rule("", "-", rule), "{rule}");
        }
    }

    #[test]
    fn wildcard_of_every_parent_of_a_wildcard_rule_is_refused() {
        let rules = rules().lines().map(|rule| rule.trim_start_matches('~'));
        let parents: Vec<_> = rules.filter_map(|rule| rule.strip_prefix("*.")).collect();
        assert!(parents.len() > 250, "{} parents", parents.len());
        for parent in parents {
            assert!(covered_suffix(parent).is_some(), "{parent}");
            assert!(format!("*.{parent}").parse::<crate::HostPattern>().is_err(), "{parent}");
        }
    }

    #[test]
    fn suffix_of_a_registry_is_told_from_one_of_a_company() {
        for name in
            ["com", "co.uk", "xn--p1ai", "made-up-tld", "ck", "anything.ck", "x.kawasaki.jp"]
        {
            assert_eq!(covered_suffix(name), Some(SuffixKind::Registry), "{name}");
        }
        for name in ["nom.br", "sch.uk", "kawasaki.jp"] {
            assert_eq!(covered_suffix(name), Some(SuffixKind::Registry), "{name}");
        }
        for name in [
            "github.io",
            "s3.amazonaws.com",
            "compute.amazonaws.com",
            "googleapis.com",
            "githubusercontent.com",
            "supabase.co",
            "blob.core.windows.net",
        ] {
            assert_eq!(covered_suffix(name), Some(SuffixKind::Shared), "{name}");
        }
        for name in [
            "example.com",
            "www.ck",
            "city.kawasaki.jp",
            "city.kawasaki.jp.example",
            "acme.github.io",
            "demo.test",
            "amazonaws.com",
        ] {
            assert_eq!(covered_suffix(name), None, "{name}");
        }
    }
}
