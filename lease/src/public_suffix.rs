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
    fn public_suffixes_are_told_from_names_below_them() {
        for suffix in ["com", "co.uk", "github.io", "s3.amazonaws.com", "xn--p1ai", "made-up-tld"] {
            assert!(is_public_suffix(suffix), "{suffix}");
        }
        for suffix in ["ck", "anything.ck", "city.kawasaki.jp.example", "x.kawasaki.jp"] {
            assert_eq!(is_public_suffix(suffix), !suffix.ends_with("example"), "{suffix}");
        }
        for name in ["example.com", "www.ck", "city.kawasaki.jp", "acme.github.io", "demo.test"] {
            assert!(!is_public_suffix(name), "{name}");
        }
    }
}
