//! The allow-list: what is not on it is denied.

use crate::config::ConfigErrors;
use crate::denial::Denial;
use crate::destination::{Destination, Rule};
use crate::permit::{Permit, TunnelPermit};
use crate::request::Head;
use lease::{Authority, Host, HostPattern};
use session::Session;
use std::collections::{HashMap, HashSet};

/// Destinations, found by host: a lookup a label, however many there are.
#[derive(Debug, Default)]
pub struct AllowList {
    destinations: Vec<Destination>,
    exact: HashMap<Host, Vec<usize>>,
    below: HashMap<Box<str>, Vec<usize>>,
}

// === impl AllowList ===

impl AllowList {
    /// Notes duplicate names, and pairs that one request could match with different credentials.
    pub(crate) fn new(destinations: Vec<Destination>, errors: &mut ConfigErrors) -> Self {
        let mut list = Self::default();
        let mut names = HashSet::new();
        for (n, destination) in destinations.iter().enumerate() {
            if !names.insert(destination.name.as_str()) {
                let name = &destination.name;
                errors.push(format!("destinations[{n}].name"), format!("{name:?} is used twice"));
            }
            if let Some(other) = list.conflict(&destinations, destination) {
                let (path, name) = (format!("destinations[{n}]"), &other.name);
                errors.push(
                    path,
                    format!("matches requests that {name:?} matches too, with another credential"),
                );
            }
            list.index(n, destination);
        }
        list.destinations = destinations;
        list
    }

    pub(crate) fn needs_custody(&self) -> bool {
        self.destinations.iter().any(|destination| destination.credential.is_some())
    }

    /// May this session open a tunnel to this authority?
    ///
    /// # Errors
    /// What first ruled the last candidate out: host, port or session.
    pub(crate) fn permit_tunnel(
        &self,
        session: &Session,
        authority: &Authority,
    ) -> Result<TunnelPermit, Denial> {
        self.candidates(session, authority)?;
        Ok(TunnelPermit::new())
    }

    /// May this session make this request?
    ///
    /// # Errors
    /// What first ruled the last candidate out: host, port, session, method, path or upgrade.
    pub(crate) fn permit(&self, session: &Session, head: &Head) -> Result<Permit, Denial> {
        let Head { authority, method, target, websocket } = head;
        let candidates = self.candidates(session, authority)?;
        let mut allowed: Vec<(&Destination, &Rule)> = candidates
            .into_iter()
            .flat_map(|destination| destination.allow.iter().map(move |rule| (destination, rule)))
            .collect();
        let mut narrow = |denial, fits: &dyn Fn(&Rule) -> bool| {
            allowed.retain(|(_, rule)| fits(rule));
            if allowed.is_empty() { Err(denial) } else { Ok(()) }
        };
        narrow(Denial::MethodNotAllowed, &|rule| rule.methods.contain(method))?;
        narrow(Denial::PathNotAllowed, &|rule| rule.has_path(&target.path))?;
        narrow(Denial::UpgradeNotAllowed, &|rule| rule.websocket || !websocket)?;
        let mut destinations = allowed.into_iter().map(|(destination, _)| destination);
        let first = destinations.next().ok_or(Denial::Internal)?;
        // Claims that are lists can meet conditions which look exclusive; then nobody can say which
        // credential was meant.
        if destinations.any(|other| other.credential != first.credential) {
            return Err(Denial::DestinationAmbiguous);
        }
        Ok(Permit::new(first, session, authority, method, &target.path))
    }

    fn candidates(
        &self,
        session: &Session,
        authority: &Authority,
    ) -> Result<Vec<&Destination>, Denial> {
        let mut candidates: Vec<&Destination> =
            self.with_host(&authority.host).filter_map(|n| self.destinations.get(n)).collect();
        if candidates.is_empty() {
            return Err(Denial::HostNotAllowed);
        }
        candidates.retain(|destination| destination.ports.contains(&authority.port));
        if candidates.is_empty() {
            return Err(Denial::PortNotAllowed);
        }
        candidates.retain(|destination| destination.sessions.met_by(session));
        if candidates.is_empty() {
            return Err(Denial::SessionNotAllowed);
        }
        Ok(candidates)
    }

    fn with_host<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = usize> + 'a {
        let exact = self.exact.get(host).into_iter().flatten();
        let below = match host {
            Host::Name(name) => {
                Some(parents(name).filter_map(|parent| self.below.get(parent)).flatten())
            }
            Host::Ip(_) => None,
        };
        exact.chain(below.into_iter().flatten()).copied()
    }

    fn index(&mut self, n: usize, destination: &Destination) {
        for pattern in &destination.hosts {
            let entry = match pattern {
                HostPattern::Exact(host) => self.exact.entry(host.clone()).or_default(),
                HostPattern::Below(suffix) => self.below.entry(suffix.clone()).or_default(),
            };
            // Two spellings of one host in one list are one entry.
            if entry.last() != Some(&n) {
                entry.push(n);
            }
        }
    }

    /// An earlier destination that a request of this one could match as well, with another credential.
    fn conflict<'a>(&self, all: &'a [Destination], new: &Destination) -> Option<&'a Destination> {
        let earlier = new.hosts.iter().flat_map(|pattern| self.with_overlap(pattern));
        earlier
            .filter_map(|n| all.get(n))
            .find(|other| other.credential != new.credential && other.overlaps(new))
    }

    fn with_overlap(&self, pattern: &HostPattern) -> Vec<usize> {
        let suffix = match pattern {
            HostPattern::Exact(host) => return self.with_host(host).collect(),
            HostPattern::Below(suffix) => suffix,
        };
        let above =
            parents(suffix).chain([&**suffix]).filter_map(|name| self.below.get(name)).flatten();
        // What lies below a wildcard is not indexed that way; a scan, while the configuration is read.
        let names =
            self.exact.iter().filter(|(host, _)| pattern.matches(host)).flat_map(|(_, n)| n);
        let inner = self
            .below
            .iter()
            .filter(|(name, _)| pattern.overlaps(&HostPattern::Below((*name).clone())));
        above.chain(names).chain(inner.flat_map(|(_, n)| n)).copied().collect()
    }
}

/// `a.b.c` -> `b.c`, `c`.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.split_once('.'), |(_, rest)| rest.split_once('.'))
        .map(|(_, rest)| rest)
}
