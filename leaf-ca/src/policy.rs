//! Which names leaves are minted for, and no other.
//!
//! The policy is read from the very file that configures the filter, so that what guests may
//! reach is written once; or from a file that holds nothing but `hosts`.

use crate::name::{DnsName, NameError};
use serde_yaml_ng::Value;
use std::collections::HashSet;
use std::fmt;
use std::path::Path;

/// The names leaves are minted for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    exact: HashSet<DnsName>,
    /// The parts behind `*.`.
    below: HashSet<DnsName>,
}

/// One entry of a policy: `api.example.com` (that name and no other) or `*.example.com` (names
/// below it at any depth, never `example.com` itself).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    Exact(DnsName),
    Below(DnsName),
    /// An address: allowed in the filter's file, but nothing is ever minted for it.
    Address,
}

/// Why a text is no [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("{0:?} is not a host: {1}")]
    Name(String, NameError),
    #[error("{0:?}: a '*' stands only as the whole first label, as in \"*.example.com\"")]
    Star(String),
    #[error("{0:?} covers a public suffix; name a domain below it")]
    PublicSuffix(String),
    #[error(
        "{0:?} covers a public suffix whose names belong to many owners; name the hosts, or accept \
         every owner with allow_shared_suffixes: true"
    )]
    SharedSuffix(String),
    #[error("{0:?}: a port does not belong in a host")]
    Port(String),
}

/// Everything that is wrong with a policy file, each fault with the path of its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyErrors(Vec<String>);

// === impl Policy ===

impl Policy {
    /// Reads the filter's plugin configuration (`destinations[].hosts`; every other field belongs
    /// to the filter) or a file with `hosts` alone. YAML, and therefore JSON too.
    pub fn parse(text: &str) -> Result<Self, PolicyErrors> {
        let file: Value = serde_yaml_ng::from_str(text)
            .map_err(|error| PolicyErrors(vec![format!("not YAML or JSON: {error}")]))?;
        let mut reader = Reader::default();
        match (file.get("hosts"), file.get("destinations")) {
            (Some(_), Some(_)) => reader.fault("", "has both `hosts` and `destinations`; keep one"),
            (None, None) => reader.fault(
                "",
                "names no host: expected `destinations` (the filter's configuration) or `hosts`",
            ),
            (Some(hosts), None) => {
                reader.only_hosts(&file);
                reader.hosts("hosts", hosts, true);
            }
            (None, Some(destinations)) => reader.destinations(destinations),
        }
        if reader.faults.is_empty() { Ok(reader.policy) } else { Err(PolicyErrors(reader.faults)) }
    }

    pub fn insert(&mut self, pattern: Pattern) {
        match pattern {
            Pattern::Exact(name) => {
                self.exact.insert(name);
            }
            Pattern::Below(suffix) => {
                self.below.insert(suffix);
            }
            Pattern::Address => {}
        }
    }

    /// Is this a name leaves are minted for?
    pub fn permits(&self, name: &DnsName) -> bool {
        self.exact.contains(name) || name.parents().any(|parent| self.below.contains(parent))
    }

    /// How many patterns can ever match.
    pub fn len(&self) -> usize {
        self.exact.len() + self.below.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

// === impl Pattern ===

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let bracketed = text.starts_with('[') && text.ends_with(']');
        if bracketed || text.parse::<std::net::Ipv4Addr>().is_ok() {
            return Ok(Self::Address);
        }
        if text.contains(':') {
            return Err(PatternError::Port(text.to_owned()));
        }
        let (rest, below) = match text.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (text, false),
        };
        if rest.contains('*') {
            return Err(PatternError::Star(text.to_owned()));
        }
        let name =
            DnsName::parse(rest).map_err(|error| PatternError::Name(text.to_owned(), error))?;
        match below {
            false => Ok(Self::Exact(name)),
            true => match covered_suffix(&name) {
                Some(SuffixKind::Registry) => Err(PatternError::PublicSuffix(text.to_owned())),
                Some(SuffixKind::Shared) | None => Ok(Self::Below(name)),
            },
        }
    }
}

impl Pattern {
    /// Does it cover names that a company gives to its customers (`*.github.io`)?
    fn is_shared(&self) -> bool {
        matches!(self, Self::Below(name) if covered_suffix(name) == Some(SuffixKind::Shared))
    }
}

/// Whose names a suffix has below it: a registry's, or those that a company gives to its customers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SuffixKind {
    Registry,
    Shared,
}

/// Is the name a public suffix, or is every name right below it one (`*.compute.amazonaws.com`)? The list
/// tells which suffix a name has, so it is asked about one that could be any.
fn covered_suffix(name: &DnsName) -> Option<SuffixKind> {
    let below = format!("any-name.{name}");
    let names = [name.as_str(), &below];
    let suffixes =
        names.iter().filter_map(|name| psl::suffix(name.as_bytes()).map(|suffix| (name, suffix)));
    let mut covered =
        suffixes.filter(|(name, suffix)| suffix.as_bytes() == name.as_bytes()).peekable();
    covered.peek()?;
    match covered.all(|(_, suffix)| suffix.typ() == Some(psl::Type::Private)) {
        true => Some(SuffixKind::Shared),
        false => Some(SuffixKind::Registry),
    }
}

// === impl PolicyErrors ===

impl PolicyErrors {
    /// A line a fault, each with the file it stands in.
    pub fn in_file(&self, file: &Path) -> String {
        let lines: Vec<_> =
            self.0.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
        lines.join("\n")
    }
}

impl fmt::Display for PolicyErrors {
    /// A line a fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for PolicyErrors {}

/// Walks the file and keeps every fault, so that one run shows them all.
#[derive(Default)]
struct Reader {
    policy: Policy,
    faults: Vec<String>,
}

// === impl Reader ===

impl Reader {
    fn fault(&mut self, path: &str, what: impl fmt::Display) {
        self.faults.push(match path {
            "" => format!("the policy {what}"),
            path => format!("{path}: {what}"),
        });
    }

    /// A file of our own form has no other fields: a misspelt one would be a rule nobody follows.
    fn only_hosts(&mut self, file: &Value) {
        for key in file.as_mapping().into_iter().flat_map(|fields| fields.keys()) {
            match key.as_str() {
                Some("hosts") => {}
                Some(other) => self.fault(other, "unknown field; a file with `hosts` has no other"),
                None => self.fault("", "has a field whose name is not text"),
            }
        }
    }

    fn destinations(&mut self, destinations: &Value) {
        let Some(list) = destinations.as_sequence() else {
            return self.fault("destinations", "expected a list");
        };
        for (at, destination) in list.iter().enumerate() {
            let path = format!("destinations[{at}].hosts");
            match destination.get("hosts") {
                Some(hosts) => self.hosts(&path, hosts, may_be_shared(destination)),
                None => self.fault(&path, "missing; expected a list of hosts"),
            }
        }
    }

    /// `shared`: a wildcard of a shared suffix is accepted.
    fn hosts(&mut self, path: &str, hosts: &Value, shared: bool) {
        let Some(list) = hosts.as_sequence() else {
            return self.fault(path, "expected a list of hosts");
        };
        for (at, host) in list.iter().enumerate() {
            let path = format!("{path}[{at}]");
            match host.as_str().map(str::parse::<Pattern>) {
                Some(Ok(pattern)) if pattern.is_shared() && !shared => {
                    let text = host.as_str().unwrap_or_default().to_owned();
                    self.fault(&path, PatternError::SharedSuffix(text));
                }
                Some(Ok(pattern)) => self.policy.insert(pattern),
                Some(Err(error)) => self.fault(&path, error),
                None => self.fault(&path, "expected a text such as \"api.example.com\""),
            }
        }
    }
}

/// As the filter judges it: without a credential, or where the operator says so.
fn may_be_shared(destination: &Value) -> bool {
    let has_credential = destination.get("credential").is_some_and(|value| !value.is_null());
    let is_allowed = destination.get("allow_shared_suffixes").and_then(Value::as_bool);
    !has_credential || is_allowed == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(policy: &str, name: &str) -> bool {
        Policy::parse(policy).unwrap().permits(&DnsName::parse(name).unwrap())
    }

    fn faults(policy: &str) -> Vec<String> {
        Policy::parse(policy).unwrap_err().0
    }

    #[test]
    fn exact_and_below() {
        let policy = r#"hosts: [Api.Example.com., "*.wild.example.com"]"#;
        for name in
            ["api.example.com", "API.EXAMPLE.COM.", "a.wild.example.com", "a.b.wild.example.com"]
        {
            assert!(permits(policy, name), "{name}");
        }
        for name in [
            "wild.example.com",
            "example.com",
            "x.api.example.com",
            "awild.example.com",
            "a.wild.example.com.evil.org",
            "api.example.co",
        ] {
            assert!(!permits(policy, name), "{name}");
        }
    }

    #[test]
    fn the_file_of_the_filter() {
        let yaml = "posture: explicit\n\
                    session: {issuer: https://cp.example, keys: {jwks: {keys: []}}}\n\
                    destinations:\n\
                    - {name: a, hosts: [api.github.com], ports: [443], credential: {handle: h}}\n\
                    - {name: b, hosts: ['*.example.com', 10.0.0.1, '[::1]']}\n";
        let json = r#"{"destinations": [{"hosts": ["api.github.com", "*.example.com"]}]}"#;
        for file in [yaml, json] {
            assert!(permits(file, "api.github.com"));
            assert!(permits(file, "a.example.com"));
            assert!(!permits(file, "github.com"));
            assert_eq!(Policy::parse(file).unwrap().len(), 2, "addresses are never minted");
        }
        assert!(Policy::parse("destinations: []").unwrap().is_empty());
    }

    #[test]
    fn every_fault_with_its_path() {
        let file = r#"destinations:
          - hosts: ["*.com", api.example.com]
          - {name: no hosts}
          - hosts: api.example.com
          - hosts: ["a.*.example.com", 7, "example.com:443", "*.co.uk", "a b", "*", "127.1", "*.10.0.0.1"]
        "#;
        assert_eq!(
            faults(file),
            [
                "destinations[0].hosts[0]: \"*.com\" covers a public suffix; name a domain below it",
                "destinations[1].hosts: missing; expected a list of hosts",
                "destinations[2].hosts: expected a list of hosts",
                "destinations[3].hosts[0]: \"a.*.example.com\": a '*' stands only as the whole first \
                 label, as in \"*.example.com\"",
                "destinations[3].hosts[1]: expected a text such as \"api.example.com\"",
                "destinations[3].hosts[2]: \"example.com:443\": a port does not belong in a host",
                "destinations[3].hosts[3]: \"*.co.uk\" covers a public suffix; name a domain below it",
                "destinations[3].hosts[4]: \"a b\" is not a host: a name has only letters, digits, '-' \
                 and '_' (internationalised names as A-labels)",
                "destinations[3].hosts[5]: \"*\": a '*' stands only as the whole first label, as in \
                 \"*.example.com\"",
                "destinations[3].hosts[6]: \"127.1\" is not a host: an address is not a name, nor is \
                 anything that ends in a number",
                "destinations[3].hosts[7]: \"*.10.0.0.1\" is not a host: an address is not a name, nor is \
                 anything that ends in a number",
            ]
        );
    }

    #[test]
    fn wildcards_right_above_public_suffixes_are_refused() {
        for name in ["nom.br", "sch.uk", "kawasaki.jp", "com"] {
            let text = format!("*.{name}");
            let error = text.parse::<Pattern>().err();
            assert_eq!(error, Some(PatternError::PublicSuffix(text)), "{name}");
        }
        for name in ["city.kawasaki.jp", "eu-1.x.example.com", "example.com"] {
            assert!(format!("*.{name}").parse::<Pattern>().is_ok(), "{name}");
        }
    }

    #[test]
    fn wildcard_of_a_shared_suffix_is_judged_as_the_filter_judges_it() {
        for name in ["github.io", "compute.amazonaws.com", "googleapis.com", "supabase.co"] {
            let destination = |fields: &str| {
                format!("destinations: [{{name: a, hosts: ['*.{name}'], {fields}}}]")
            };
            let permitted = format!("x.{name}");
            assert!(permits(&destination("ports: [443]"), &permitted));
            assert!(permits(&destination("credential: null"), &permitted));
            let word = "credential: {handle: h}, allow_shared_suffixes: true";
            assert!(permits(&destination(word), &permitted));
            assert!(permits(&format!("hosts: ['*.{name}']"), &permitted));
            let expected = PatternError::SharedSuffix(format!("*.{name}"));
            for fields in ["credential: {handle: h}", "credential: {}, allow_shared_suffixes: no"] {
                let faults = faults(&destination(fields));
                assert_eq!(faults, [format!("destinations[0].hosts[0]: {expected}")], "{fields}");
            }
        }
    }

    #[test]
    fn files_of_no_known_form() {
        for (file, fault) in [
            ("", "the policy names no host"),
            ("[api.example.com]", "the policy names no host"),
            ("hosts: a.example\ndestinations: []", "the policy has both"),
            ("hosts: [a.example]\nhots: [b.example]", "hots: unknown field"),
            ("hosts: {a: b}", "hosts: expected a list"),
            ("destinations: {a: b}", "destinations: expected a list"),
            ("hosts: [a.example", "not YAML or JSON"),
            ("hosts: [a.example]\nhosts: [b.example]", "not YAML or JSON"),
        ] {
            assert!(faults(file)[0].starts_with(fault), "{file}: {:?}", faults(file));
        }
        assert_eq!(
            Policy::parse("hosts: ['*.com', '*.org']").unwrap_err().in_file(Path::new("p.yaml")),
            "p.yaml: hosts[0]: \"*.com\" covers a public suffix; name a domain below it\n\
             p.yaml: hosts[1]: \"*.org\" covers a public suffix; name a domain below it"
        );
    }
}
