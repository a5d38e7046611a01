//! A stack with an allow-list made for refusals, and the two oracles of one.

use std::net::SocketAddr;

use anyhow::Result;
use serde_json::{Value, json};
use stack::origin::Seen;
use stack::policy::ORIGIN_PORT;
use stack::{Credential, Stack, StackBuilder, Way};

use crate::guest::{self, Connected, Tls};
use crate::http2::Http2;
use crate::reply::Reply;
use crate::wire::Wire;

/// A listed host with a credential.
pub const API: &str = "api.demo.test";
/// A listed host without one.
pub const OPEN: &str = "open.demo.test";
/// A host that resolves, whose certificate is good, and that no destination covers.
pub const UNLISTED: &str = "other.demo.test";
/// The apex of `*.wild.demo.test`.
pub const APEX: &str = "wild.demo.test";
/// Two names below it.
pub const BELOW: [&str; 2] = ["a.wild.demo.test", "b.a.wild.demo.test"];
/// What custody holds for [`API`].
pub const SECRET: &str = "scene-secret-4f1c9a";
/// What the origin must see of it.
pub const LEASED: &str = "Bearer scene-secret-4f1c9a";

/// Counts the callouts to custody.
const LEASES: &str = "wasmcustom.leasehold.leases";

/// A running stack and a guest's session in it.
pub struct Scene {
    pub stack: Stack,
    /// A session that may use every destination.
    pub session: String,
}

/// The destinations: [`API`], [`OPEN`], the names below [`APEX`], and an address.
pub fn policy() -> Value {
    json!({"destinations": [
        {
            "name": "api",
            "hosts": [API],
            "ports": [ORIGIN_PORT],
            "allow": [
                {
                    "methods": ["GET", "HEAD", "PATCH"],
                    "paths": ["/v1/**"],
                    "upgrades": ["websocket"],
                },
                {"methods": ["POST"], "paths": ["/v1/messages", "/v1/*/runs"]},
            ],
            "sessions": {"claims": {"team": ["demo"]}},
            "credential": {"handle": "api"},
        },
        {
            "name": "open",
            "hosts": [OPEN],
            "ports": [ORIGIN_PORT],
            "allow": [{"methods": ["GET"], "paths": ["/**"]}],
            "sessions": {"claims": {"team": ["demo"], "level": [3, "all"]}},
        },
        {
            "name": "wild",
            "hosts": [format!("*.{APEX}")],
            "ports": [ORIGIN_PORT],
            "allow": [{"methods": ["GET"], "paths": ["/**"]}],
            "sessions": {"claims": {"team": ["demo"]}},
            "credential": {"handle": "api"},
        },
        {
            "name": "address",
            "hosts": ["127.0.0.1"],
            "ports": [ORIGIN_PORT],
            "allow": [{"methods": ["GET"], "paths": ["/**"]}],
        },
    ]})
}

/// A stack with [`policy`], whose origin answers to every name the tests use.
pub fn builder() -> StackBuilder {
    let names = [API, OPEN, UNLISTED, APEX, BELOW[0], BELOW[1], "127.0.0.1"];
    Stack::builder()
        .policy(policy())
        .origin(stack::origin::OriginSettings::new(names))
        .credential(Credential::bearer("api", SECRET))
}

// === impl Scene ===

impl Scene {
    /// # Panics
    /// The stack does not come up; the message says what is missing.
    pub fn start(builder: StackBuilder) -> Self {
        let stack = builder.start().unwrap_or_else(|error| panic!("{error:#}"));
        let session = stack.mint(&json!({"team": "demo", "level": 3})).unwrap();
        Self { stack, session }
    }

    pub fn explicit() -> Self {
        Self::start(builder())
    }

    /// The explicit posture as shipped: a denied CONNECT opens a tunnel that tells why.
    pub fn refusing_in_tunnel() -> Self {
        Self::start(builder().refuse_in_tunnel())
    }

    pub fn gateway() -> Self {
        Self::start(builder().way(Way::Gateway))
    }

    pub fn edge(&self) -> SocketAddr {
        self.stack.edge()
    }

    /// `host:port` of the origin under this name.
    pub fn at(&self, host: &str) -> String {
        format!("{host}:{}", self.stack.origin().unwrap().port())
    }

    /// A CONNECT with this session.
    ///
    /// # Errors
    /// The connection is closed without an answer.
    pub fn connect(&self, target: &str, session: &str) -> Result<Connected> {
        guest::connect(self.edge(), target, &[guest::bearer(session)])
    }

    /// TLS through a tunnel to `host` on the origin's port, as an honest guest does it.
    ///
    /// # Errors
    /// The CONNECT is refused or the handshake fails.
    pub fn tls(&self, host: &str) -> Result<Tls> {
        self.tls_with(&self.at(host), Some(host), &self.session)
    }

    /// TLS to any server name, through a tunnel to any target, with any session.
    ///
    /// # Errors
    /// The CONNECT is refused or the handshake fails.
    pub fn tls_with(&self, target: &str, sni: Option<&str>, session: &str) -> Result<Tls> {
        let tunnel = self.connect(target, session)?.tunnel()?;
        guest::tls(tunnel, self.stack.guest_ca().unwrap(), sni, "http/1.1")
    }

    /// One HTTP/1.1 request, byte for byte, through a tunnel of its own to `host`.
    ///
    /// # Errors
    /// The edge closes the connection without an answer.
    pub fn inside(&self, host: &str, request: impl AsRef<[u8]>) -> Result<Reply> {
        Wire::new(self.tls(host)?).exchange(request)
    }

    /// An h2 connection through a tunnel to `host`.
    ///
    /// # Errors
    /// The CONNECT is refused or the handshake fails.
    pub fn http2(&self, host: &str) -> Result<Http2> {
        let tunnel = self.connect(&self.at(host), &self.session)?.tunnel()?;
        Http2::over_tls(tunnel, self.stack.guest_ca().unwrap(), host)
    }

    /// `GET path` on the origin under its name `host`, as an honest HTTP/1.1 guest writes it.
    pub fn get(&self, host: &str, path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.at(host))
    }

    /// Requests the origin has seen so far.
    pub fn arrived(&self) -> usize {
        self.stack.origin().unwrap().record().count()
    }

    /// How often the filter has asked custody so far.
    pub fn asked(&self) -> u64 {
        self.stack.envoy().unwrap().admin().stat(LEASES).unwrap()
    }
}

// === impl Scene: the oracles ===

impl Scene {
    /// `attempt` is answered with this status and reason, as a problem document; neither the origin
    /// nor custody hears of it.
    ///
    /// # Panics
    /// Otherwise, with the name of the case.
    #[track_caller]
    pub fn refuses(
        &self,
        case: &str,
        (status, reason): (u16, &str),
        attempt: impl FnOnce() -> Result<Reply>,
    ) -> Reply {
        let reply = self.untouched(case, attempt);
        let reply = reply.unwrap_or_else(|error| panic!("{case}: no answer: {error:#}"));
        let got = (reply.status, reply.reason());
        assert_eq!(got, (status, Some(reason.to_owned())), "{case}: {}", reply.text());
        let problem = reply.json();
        assert_eq!(reply.all("content-type"), ["application/problem+json"], "{case}");
        assert_eq!(problem["type"], format!("urn:leasehold:denial:{reason}"), "{case}");
        assert_eq!(problem["reason"], reason, "{case}");
        assert_eq!(problem["status"], status, "{case}");
        assert!(problem["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{case}");
        reply
    }

    /// Envoy itself refuses `attempt` before any filter sees it: a 4xx (or 501) without a reason of
    /// ours, or no answer at all; neither the origin nor custody hears of it.
    ///
    /// # Panics
    /// Otherwise, with the name of the case.
    #[track_caller]
    pub fn drops(&self, case: &str, attempt: impl FnOnce() -> Result<Reply>) {
        if let Ok(reply) = self.untouched(case, attempt) {
            assert!((400..=501).contains(&reply.status), "{case}: {}", reply.status);
            assert_eq!(reply.reason(), None, "{case}: {}", reply.text());
        }
    }

    /// `attempt` is answered 200 and reaches the origin, once; what the origin saw.
    ///
    /// # Panics
    /// Otherwise, with the name of the case.
    #[track_caller]
    pub fn accepts(&self, case: &str, attempt: impl FnOnce() -> Result<Reply>) -> Seen {
        let before = self.arrived();
        let reply = attempt().unwrap_or_else(|error| panic!("{case}: {error:#}"));
        assert_eq!((reply.status, reply.reason()), (200, None), "{case}: {}", reply.text());
        assert_eq!(self.arrived(), before + 1, "{case}: requests at the origin");
        let whole = format!("{:?} {}", reply.headers, reply.text());
        assert!(!whole.contains(SECRET), "{case}: the response holds the lease");
        self.stack.origin().unwrap().record().last().unwrap()
    }

    #[track_caller]
    fn untouched(&self, case: &str, attempt: impl FnOnce() -> Result<Reply>) -> Result<Reply> {
        let before = (self.arrived(), self.asked());
        let outcome = attempt();
        let after = (self.arrived(), self.asked());
        assert_eq!(after, before, "{case}: (requests at the origin, callouts to custody)");
        outcome
    }
}
