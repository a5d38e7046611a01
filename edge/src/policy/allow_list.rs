//! The allow-list: what is not on it is denied.

use crate::headers::Headers;
use crate::policy::denial::Denial;
use crate::policy::destination::{Destination, MatchStage};
use crate::policy::head::Head;
use crate::policy::permit::{Permit, TunnelPermit};
use lease::{Authority, Host, HostPattern};
use session::Session;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// Destinations, found by host: a lookup a label, however many there are.
#[derive(Debug, Default)]
pub struct AllowList {
    destinations: Vec<Rc<Destination>>,
    exact: HashMap<Host, Vec<usize>>,
    below: HashMap<Box<str>, Vec<usize>>,
}

/// Why a destination cannot be in a list beside an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// Both have this name.
    Name(String),
    /// One request could match both, the other one of this name, with different credentials.
    Credential(String),
}

// === impl AllowList ===

impl AllowList {
    /// The list, and its conflicts: each with the number of its destination.
    pub(crate) fn new(destinations: Vec<Destination>) -> (Self, Vec<(usize, Conflict)>) {
        let mut list = Self::default();
        let mut conflicts = Vec::new();
        let mut names = HashSet::new();
        for (n, destination) in destinations.iter().enumerate() {
            if !names.insert(destination.name.as_str()) {
                conflicts.push((n, Conflict::Name(destination.name.clone())));
            }
            if let Some(other) = list.conflict(&destinations, destination) {
                conflicts.push((n, Conflict::Credential(other.name.clone())));
            }
            list.index(n, destination);
        }
        list.destinations = destinations.into_iter().map(Rc::new).collect();
        (list, conflicts)
    }

    pub(crate) fn needs_custody(&self) -> bool {
        self.destinations.iter().any(|destination| destination.credential.is_some())
    }

    /// May this session open a tunnel to this authority?
    ///
    /// # Errors
    /// The check that ruled the last candidate out: host, port or session.
    pub(crate) fn permit_tunnel(
        &self,
        session: &Session,
        authority: &Authority,
    ) -> Result<TunnelPermit, Denial> {
        let mut nearest = MatchStage::Host;
        for destination in self.with_host(&authority.host) {
            match destination.receives(session, authority) {
                Ok(()) => return Ok(TunnelPermit::new()),
                Err(stage) => nearest = nearest.max(stage),
            }
        }
        Err(nearest.denial())
    }

    /// Does a destination list this port?
    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.destinations.iter().any(|destination| destination.ports.contains(&port))
    }

    /// May this session make this request?
    ///
    /// # Errors
    /// The check that ruled the last candidate out: host, port, session, method, path, query, header or
    /// upgrade.
    pub(crate) fn permit(
        &self,
        session: &Session,
        head: Head,
        headers: &Headers,
    ) -> Result<Permit, Denial> {
        let mut nearest = MatchStage::Host;
        let mut allowed: Option<&Rc<Destination>> = None;
        for destination in self.with_host(&head.authority.host) {
            match (destination.allows(session, &head, headers), allowed) {
                (Err(stage), _) => nearest = nearest.max(stage),
                (Ok(()), None) => allowed = Some(destination),
                // Claims that are lists can meet conditions which look exclusive; then nobody can say
                // which credential was meant.
                (Ok(()), Some(first)) if first.credential != destination.credential => {
                    return Err(Denial::DestinationAmbiguous);
                }
                (Ok(()), Some(_)) => {}
            }
        }
        let allowed = allowed.ok_or_else(|| nearest.denial())?;
        Ok(Permit::new(allowed, session, head))
    }

    fn with_host<'a, 'h>(
        &'a self,
        host: &'h Host,
    ) -> impl Iterator<Item = &'a Rc<Destination>> + use<'a, 'h> {
        self.numbers(host).filter_map(|n| self.destinations.get(n))
    }

    fn numbers<'a, 'h>(&'a self, host: &'h Host) -> impl Iterator<Item = usize> + use<'a, 'h> {
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
            HostPattern::Exact(host) => return self.numbers(host).collect(),
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
