//! leaf-ca has a public suffix list of its own (the crate `psl`). It refuses the wildcards that the filter and
//! custody refuse, rule by rule of their list.

use leaf_ca::policy::Policy;

/// A later list has rules that an earlier one lacks.
const UNKNOWN: usize = 30;

#[test]
fn every_wildcard_that_the_filters_list_refuses_is_refused() {
    let list = include_str!("../../lease/public-suffixes.txt");
    let rules = list.lines().filter(|line| !line.starts_with('#'));
    let (mut refused, mut accepted) = (0, Vec::new());
    for rule in rules {
        // Behind a tilde stands a rule of the private section.
        let is_shared = rule.starts_with('~');
        let rule = rule.trim_start_matches('~');
        // An exception is a name of somebody; the names below it are too.
        let (suffix, is_exception) = match rule.strip_prefix('!') {
            Some(name) => (name, true),
            None => (rule.strip_prefix("*.").unwrap_or(rule), false),
        };
        let accepts = |credential: &str| {
            let hosts =
                format!("destinations: [{{hosts: ['*.{suffix}'], credential: {credential}}}]");
            Policy::parse(&hosts).is_ok()
        };
        match (accepts("{handle: h}"), accepts("null"), is_exception) {
            (false, bare, false) if bare == is_shared => refused += 1,
            (true, true, true) => {}
            (_, _, _) => accepted.push(rule),
        }
    }
    println!("{refused} refused, {} judged otherwise: {accepted:?}", accepted.len());
    assert!(
        refused > 9_000 && accepted.len() <= UNKNOWN,
        "{refused} refused, but not {accepted:?}"
    );
}
