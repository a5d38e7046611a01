//! leaf-ca has a public suffix list of its own (the crate `psl`). It refuses the wildcards that the filter and
//! custody refuse, rule by rule of their list.

use leaf_ca::policy::Pattern;

/// A later list has rules that an earlier one lacks.
const UNKNOWN: usize = 30;

#[test]
fn every_wildcard_that_the_filters_list_refuses_is_refused() {
    let list = include_str!("../../lease/public-suffixes.txt");
    let rules = list.lines().filter(|line| !line.starts_with('#'));
    let (mut refused, mut accepted) = (0, Vec::new());
    for rule in rules {
        // An exception is a name of somebody; the names below it are too.
        let (suffix, is_exception) = match rule.strip_prefix('!') {
            Some(name) => (name, true),
            None => (rule.strip_prefix("*.").unwrap_or(rule), false),
        };
        match (format!("*.{suffix}").parse::<Pattern>(), is_exception) {
            (Err(_), false) => refused += 1,
            (Ok(_), true) => {}
            (_, _) => accepted.push(rule),
        }
    }
    println!("{refused} refused, {} judged otherwise: {accepted:?}", accepted.len());
    assert!(
        refused > 9_000 && accepted.len() <= UNKNOWN,
        "{refused} refused, but not {accepted:?}"
    );
}
