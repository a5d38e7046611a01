//! What is measured together, turn by turn: the Envoys of a group run side by side, and each row of its
//! table is one of them under one load.

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use session::Algorithm;

use super::edge::Edge;
use super::load::{Expected, Load, Requests};
use super::testbed::{OPEN, TUNNELLED, Testbed};
use super::variant::Variant;

/// A part of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Every variant in the clear, with tokens that are known
    Clear,
    /// A new session each request
    Cold,
    /// Tokens that somebody else signed
    Forged,
    /// 1, 64 and 256 connections
    Connections,
    /// 10, 1,000 and 10,000 destinations
    Destinations,
    /// 1, 1,000 and 50,000 sessions
    Sessions,
    /// Through a tunnel that is decrypted: TLS to the guest and to the origin
    Tunnel,
}

/// Envoys that run at the same time, and the rows that are measured on them.
pub struct Group {
    pub edges: Vec<Edge>,
    pub rows: Vec<Row>,
}

/// A row of the table.
#[derive(Clone)]
pub struct Row {
    pub name: String,
    /// Which of the group's Envoys.
    pub edge: usize,
    pub load: Load,
}

/// Connections, where a row does not say another number.
const CONNECTIONS: usize = 64;
/// Through tunnels: each is a thread of ours on the way.
const TUNNELS: usize = 16;
/// New tokens a turn.
const NEW_TOKENS: usize = 1000;
/// Destinations, where a row does not say another number; requests go to so many of them in turn.
const HOSTS: usize = 10;
pub const DESTINATIONS: [usize; 3] = [10, 1_000, 10_000];
pub const SESSIONS: [usize; 3] = [1, 1_000, 50_000];
pub const MANY_CONNECTIONS: [usize; 3] = [1, 64, 256];

pub const COLD_LEASED: &str = "Leasehold, verified and leased";
pub const COLD_VERIFIED: &str = "Leasehold, verified alone (a destination without a credential)";
pub const FORGED_SAME: &str = "Leasehold, one forged token again and again";
pub const FORGED_NEW: &str = "Leasehold, a new forged token each request";

// === impl Part ===

impl Part {
    pub const ALL: [Self; 7] = [
        Self::Clear,
        Self::Cold,
        Self::Forged,
        Self::Connections,
        Self::Destinations,
        Self::Sessions,
        Self::Tunnel,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Clear => "In the clear, tokens and leases known",
            Self::Cold => "A new session each request",
            Self::Forged => "Forged tokens",
            Self::Connections => "Connections",
            Self::Destinations => "Destinations",
            Self::Sessions => "Live sessions",
            Self::Tunnel => "Through a decrypted tunnel",
        }
    }

    /// Starts the Envoys of this part and says what is measured on them.
    ///
    /// # Errors
    /// One does not come up; a token cannot be minted.
    pub fn group(self, testbed: &Testbed, rounds: usize) -> Result<Group> {
        let mut group = Group { edges: Vec::new(), rows: Vec::new() };
        match self {
            Self::Clear => group.clear(testbed),
            Self::Cold => group.cold(testbed, rounds),
            Self::Forged => group.forged(testbed, rounds),
            Self::Connections => group.connections(testbed),
            Self::Destinations => group.destinations(testbed),
            Self::Sessions => group.sessions(testbed),
            Self::Tunnel => group.tunnel(testbed),
        }?;
        Ok(group)
    }
}

// === impl Group ===

impl Group {
    fn clear(&mut self, testbed: &Testbed) -> Result<()> {
        let token = testbed.tokens.mint(Algorithm::EdDsa)?;
        let requests = Requests::Same(testbed.requests("warm", visits(&hosts(HOSTS), &[token]))?);
        for variant in [
            Variant::NoFilter,
            Variant::StaticHeader,
            Variant::NoOp,
            Variant::Leasehold,
            Variant::CachedJwt,
            Variant::UncachedJwt,
            Variant::ExtAuthz,
        ] {
            let edge = self.start(testbed, variant, &hosts(HOSTS))?;
            self.forwarded(variant.name(), edge, &requests, CONNECTIONS);
        }
        Ok(())
    }

    fn cold(&mut self, testbed: &Testbed, rounds: usize) -> Result<()> {
        let mut hosts = hosts(HOSTS);
        let open = vec![format!("{OPEN}.bench.test")];
        hosts.extend(open.clone());
        let plain = self.start(testbed, Variant::NoFilter, &hosts)?;
        let ours = self.start(testbed, Variant::Leasehold, &hosts)?;
        let theirs = self.start(testbed, Variant::UncachedJwt, &hosts)?;
        hosts.truncate(HOSTS);
        for algorithm in Algorithm::ALL {
            let new = |what: &str, hosts: &[String]| {
                new_tokens(testbed, rounds, &format!("{what}-{algorithm}"), hosts, || {
                    testbed.tokens.mint(algorithm)
                })
            };
            let (leased, verified) = (new("leased", &hosts)?, new("verified", &open)?);
            let theirs_name = Variant::UncachedJwt.name();
            for (name, edge, requests) in [
                (Variant::NoFilter.name(), plain, &leased),
                (COLD_LEASED, ours, &leased),
                (COLD_VERIFIED, ours, &verified),
                (theirs_name, theirs, &leased),
            ] {
                self.forwarded(&cold(name, algorithm), edge, requests, CONNECTIONS);
            }
        }
        Ok(())
    }

    fn forged(&mut self, testbed: &Testbed, rounds: usize) -> Result<()> {
        let hosts = hosts(HOSTS);
        let by_itself = self.start(testbed, Variant::Refusal, &hosts)?;
        let ours = self.start(testbed, Variant::Leasehold, &hosts)?;
        let same = testbed.requests("forged", visits(&hosts, &[testbed.tokens.forge()?]))?;
        let same = Requests::Same(same);
        let new = new_tokens(testbed, rounds, "forged", &hosts, || testbed.tokens.forge())?;
        for (name, edge, requests) in [
            (Variant::Refusal.name(), by_itself, &same),
            (FORGED_SAME, ours, &same),
            (FORGED_NEW, ours, &new),
        ] {
            self.row(name, edge, requests, CONNECTIONS, Expected::Refused);
        }
        Ok(())
    }

    fn connections(&mut self, testbed: &Testbed) -> Result<()> {
        let token = testbed.tokens.mint(Algorithm::EdDsa)?;
        let requests = Requests::Same(testbed.requests("sweep", visits(&hosts(HOSTS), &[token]))?);
        for variant in [Variant::NoFilter, Variant::Leasehold] {
            let edge = self.start(testbed, variant, &hosts(HOSTS))?;
            for connections in MANY_CONNECTIONS {
                let name = counted(variant.name(), connections, "connections");
                self.forwarded(&name, edge, &requests, connections);
            }
        }
        Ok(())
    }

    fn destinations(&mut self, testbed: &Testbed) -> Result<()> {
        let token = testbed.tokens.mint(Algorithm::EdDsa)?;
        for number in DESTINATIONS {
            let all = hosts(number);
            let edge = self.start(testbed, Variant::Leasehold, &all)?;
            let asked: Vec<_> = all.iter().step_by(number / HOSTS).cloned().collect();
            let file = testbed
                .requests(&format!("of-{number}"), visits(&asked, std::slice::from_ref(&token)))?;
            let name = counted(Variant::Leasehold.name(), number, "destinations");
            self.forwarded(&name, edge, &Requests::Same(file), CONNECTIONS);
        }
        Ok(())
    }

    fn sessions(&mut self, testbed: &Testbed) -> Result<()> {
        for number in SESSIONS {
            let edge = self.start(testbed, Variant::Leasehold, &hosts(HOSTS))?;
            let minted = (0..number).map(|_| testbed.tokens.mint(Algorithm::EdDsa));
            let tokens = minted.collect::<Result<Vec<_>>>()?;
            let file = testbed.requests(&format!("by-{number}"), visits(&hosts(HOSTS), &tokens))?;
            let name = counted(Variant::Leasehold.name(), number, "sessions");
            self.forwarded(&name, edge, &Requests::Same(file), CONNECTIONS);
        }
        Ok(())
    }

    fn tunnel(&mut self, testbed: &Testbed) -> Result<()> {
        let token = testbed.tokens.mint(Algorithm::EdDsa)?;
        // ext_authz sees nothing of the tunnel; it is given the session with each request.
        let with = Requests::Same(testbed.requests("with-token", [(TUNNELLED, token.as_str())])?);
        let without = Requests::Same(testbed.requests("without-token", [(TUNNELLED, "-")])?);
        for (variant, requests) in [
            (Variant::NoFilter, &without),
            (Variant::StaticHeader, &without),
            (Variant::Leasehold, &without),
            (Variant::ExtAuthz, &with),
        ] {
            self.edges.push(testbed.tunnel_edge(variant, &token)?);
            self.forwarded(variant.name(), self.edges.len() - 1, requests, TUNNELS);
        }
        Ok(())
    }

    fn start(&mut self, testbed: &Testbed, variant: Variant, hosts: &[String]) -> Result<usize> {
        self.edges.push(testbed.edge(variant, hosts, 1)?);
        Ok(self.edges.len() - 1)
    }

    fn forwarded(&mut self, name: &str, edge: usize, requests: &Requests, connections: usize) {
        self.row(name, edge, requests, connections, Expected::Forwarded);
    }

    fn row(
        &mut self,
        name: &str,
        edge: usize,
        requests: &Requests,
        connections: usize,
        expected: Expected,
    ) {
        let load = Load { requests: requests.clone(), connections, expected };
        self.rows.push(Row { name: name.to_owned(), edge, load });
    }
}

/// The row of a new session each request, by the algorithm of its token.
pub fn cold(name: &str, algorithm: Algorithm) -> String {
    format!("{algorithm}: {name}")
}

/// The row of a sweep.
pub fn counted(name: &str, number: usize, of_what: &str) -> String {
    format!("{name}, {number} {of_what}")
}

pub fn hosts(number: usize) -> Vec<String> {
    (0..number).map(|n| format!("api-{n}.bench.test")).collect()
}

/// Each token visits a host; there are at least as many visits as hosts.
fn visits<'a>(
    hosts: &'a [String],
    tokens: &'a [String],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let number = hosts.len().max(tokens.len());
    let hosts = hosts.iter().cycle().map(String::as_str);
    hosts.zip(tokens.iter().cycle().map(String::as_str)).take(number)
}

fn new_tokens(
    testbed: &Testbed,
    rounds: usize,
    name: &str,
    hosts: &[String],
    mint: impl Fn() -> Result<String>,
) -> Result<Requests> {
    let files = (0..rounds).map(|round| {
        let tokens = (0..NEW_TOKENS).map(|_| mint()).collect::<Result<Vec<_>>>()?;
        testbed.requests(&format!("{name}-{round}"), visits(hosts, &tokens)).context("new tokens")
    });
    files.collect::<Result<_>>().map(Requests::New)
}
