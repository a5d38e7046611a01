//! Which names belong to a registry rather than to somebody (`com`, `co.uk`, `github.io`).
//!
//! The list is embedded: a filter inside Envoy has no file to read. It is searched only while a
//! configuration is read, so 10,000 lines and a binary search are fast enough and small enough.

/// Made by `public-suffixes.py`; `#` lines first, then the rules, sorted bytewise.
const LIST: &str = include_str!("../public-suffixes.txt");

/// Is this name itself a public suffix? (The algorithm of the list: the longest matching rule
/// prevails, `!` is an exception, and a name no rule knows has the rule `*`.)
///
/// `name` is canonical: lower-case A-labels without a trailing dot.
pub fn is_public_suffix(name: &str) -> bool {
    let rules = Rules::of_list();
    if rules.has("!", name) {
        return false;
    }
    if rules.has("", name) {
        return true;
    }
    match name.split_once('.') {
        Some((_, parent)) => rules.has("*.", parent),
        None => true,
    }
}

/// Does `*.name` cover names that belong to a registry: is this name a public suffix, or is every name right
/// below it one (`*.compute.amazonaws.com`)?
pub fn is_covering_public_suffixes(name: &str) -> bool {
    is_public_suffix(name) || Rules::of_list().has("*.", name)
}

struct Rules(Vec<&'static str>);

// === impl Rules ===

impl Rules {
    fn of_list() -> Self {
        Self(LIST.lines().filter(|line| !line.starts_with('#')).collect())
    }

    fn has(&self, mark: &str, name: &str) -> bool {
        let wanted = mark.bytes().chain(name.bytes());
        self.0.binary_search_by(|rule| rule.bytes().cmp(wanted.clone())).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_whole() {
        let rules = Rules::of_list().0;
        assert!(rules.is_sorted());
        assert!(rules.len() > 9_000, "{} rules", rules.len());
    }

    #[test]
    fn every_parent_of_a_wildcard_rule_is_refused_as_a_wildcard() {
        let rules = Rules::of_list().0;
        let parents: Vec<_> = rules.iter().filter_map(|rule| rule.strip_prefix("*.")).collect();
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
