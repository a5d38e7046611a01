//! One entry of the allow-list, compiled.

use crate::headers::Headers;
use crate::policy::denial::Denial;
use crate::policy::expected::Condition;
use crate::policy::glob::PathGlob;
use crate::policy::head::Head;
use crate::policy::named_resource::NamedResource;
use crate::policy::operation::SingleUse;
use crate::policy::path::Target;
use crate::policy::path_syntax::PathSyntax;
use crate::policy::query;
use lease::{Authority, Handle, HostPattern};
use session::{ClaimConditions, Session};
use std::fmt;
use std::str::FromStr;

/// Hosts, what may be asked of them, by whom, with which credential.
#[derive(Clone, Debug)]
pub struct Destination {
    pub name: String,
    pub hosts: Vec<HostPattern>,
    pub ports: Vec<u16>,
    pub allow: Vec<Rule>,
    pub sessions: ClaimConditions,
    pub credential: Option<Credential>,
}

/// Methods and paths that go together.
#[derive(Clone, Debug)]
pub struct Rule {
    pub methods: Methods,
    pub paths: Vec<PathGlob>,
    /// Spellings in its paths that some servers read in another way.
    pub path_syntax: PathSyntax,
    /// The conditions on the parameters of its query.
    pub query: Vec<Condition>,
    /// The conditions on its headers.
    pub headers: Vec<Condition>,
    /// May the request turn its connection into a WebSocket? The edge does not judge its traffic.
    pub websocket: bool,
}

/// Which credential a destination gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub handle: Handle,
    /// A lease for each operation, rather than one that is kept for the session.
    pub single_use: Option<SingleUse>,
}

/// The checks that a request can fail, in their order. Of several destinations, the one whose check failed
/// last names the denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchStage {
    Host,
    Port,
    Session,
    Method,
    PathSyntax,
    Path,
    Query,
    Header,
    Upgrade,
}

/// A set of methods; `*` is all that are registered.
#[derive(Clone, Debug)]
pub struct Methods(Vec<Method>);

/// A method (RFC 9110 section 9.1), case-sensitive, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method(Box<str>);

/// The text is no method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodError(String);

// === impl Destination ===

impl Destination {
    /// May this session come here, to one of its hosts?
    ///
    /// # Errors
    /// The stage at which it fails first.
    pub(crate) fn receives(
        &self,
        session: &Session,
        authority: &Authority,
    ) -> Result<(), MatchStage> {
        if !self.ports.contains(&authority.port) {
            return Err(MatchStage::Port);
        }
        if self.sessions.met_by(session) { Ok(()) } else { Err(MatchStage::Session) }
    }

    /// May this session make this request, to one of its hosts?
    ///
    /// # Errors
    /// The stage at which the last rule failed.
    pub(crate) fn allows(
        &self,
        session: &Session,
        head: &Head,
        headers: &Headers,
    ) -> Result<(), MatchStage> {
        self.receives(session, &head.authority)?;
        let mut nearest = MatchStage::Method;
        for rule in &self.allow {
            match rule.allows(head, headers) {
                Ok(()) => return Ok(()),
                Err(stage) => nearest = nearest.max(stage),
            }
        }
        Err(nearest)
    }

    /// Could one request match both? Errs on the side of yes.
    pub fn overlaps(&self, other: &Self) -> bool {
        let hosts = self.hosts.iter().any(|a| other.hosts.iter().any(|b| a.overlaps(b)));
        let ports = self.ports.iter().any(|port| other.ports.contains(port));
        let rules = || self.allow.iter().any(|a| other.allow.iter().any(|b| a.overlaps(b)));
        hosts && ports && self.sessions.overlaps(&other.sessions) && rules()
    }
}

// === impl Rule ===

impl Rule {
    fn allows(&self, head: &Head, headers: &Headers) -> Result<(), MatchStage> {
        if !self.methods.contain(&head.method) {
            return Err(MatchStage::Method);
        }
        self.allows_path(&head.target)?;
        if !self.query.iter().all(|condition| query::meets(head.target.query(), condition)) {
            return Err(MatchStage::Query);
        }
        if !self.headers.iter().all(|condition| condition.is_met_by(headers)) {
            return Err(MatchStage::Header);
        }
        // Where the rule names the header, the operator has judged it.
        let is_allowed = |named: &NamedResource| {
            let own = self.headers.iter().any(|condition| named.is_in(&condition.name));
            own || named.target.as_ref().is_some_and(|target| self.allows_path(target).is_ok())
        };
        if !head.named.iter().all(is_allowed) {
            return Err(MatchStage::Header);
        }
        if self.websocket || !head.websocket { Ok(()) } else { Err(MatchStage::Upgrade) }
    }

    fn allows_path(&self, target: &Target) -> Result<(), MatchStage> {
        if !target.path.syntax().without(self.path_syntax).is_empty() {
            return Err(MatchStage::PathSyntax);
        }
        match self.paths.iter().any(|glob| glob.matches(&target.path)) {
            true => Ok(()),
            false => Err(MatchStage::Path),
        }
    }

    /// With all their conditions on the query and on headers.
    fn overlaps(&self, other: &Self) -> bool {
        self.methods.overlap(&other.methods)
            && self.paths.iter().any(|a| other.paths.iter().any(|b| a.overlaps(b)))
    }
}

// === impl MatchStage ===

impl MatchStage {
    pub fn denial(self) -> Denial {
        match self {
            Self::Host => Denial::HostNotAllowed,
            Self::Port => Denial::PortNotAllowed,
            Self::Session => Denial::SessionNotAllowed,
            Self::Method => Denial::MethodNotAllowed,
            Self::PathSyntax => Denial::PathMalformed,
            Self::Path => Denial::PathNotAllowed,
            Self::Query => Denial::QueryNotAllowed,
            Self::Header => Denial::HeaderNotAllowed,
            Self::Upgrade => Denial::UpgradeNotAllowed,
        }
    }
}

// === impl Methods ===

impl Methods {
    pub fn new(methods: Vec<Method>) -> Self {
        Self(methods)
    }

    pub fn contain(&self, method: &str) -> bool {
        let fits = |own: &Method| match own.is_any() {
            true => is_registered(method),
            false => &*own.0 == method,
        };
        !is_never_allowed(method) && self.0.iter().any(fits)
    }

    fn overlap(&self, other: &Self) -> bool {
        self.0.iter().any(|a| other.0.iter().any(|b| a.is_any() || b.is_any() || a == b))
    }
}

/// A CONNECT hides what is in it. TRACE (and TRACK, its twin) sends the request back as the server
/// got it, and with it the credential (RFC 9110 section 9.3.8).
fn is_never_allowed(method: &str) -> bool {
    ["CONNECT", "TRACE", "TRACK"].iter().any(|never| method.eq_ignore_ascii_case(never))
}

/// The HTTP Method Registry (RFC 9110 section 16.1.1), without the methods that are never allowed.
///
/// h2 carries any token for a method. If `*` meant them all, a guest could invent methods without end,
/// and each would be a lease of its own: a callout, an audit record, a place in the cache.
const REGISTERED: &str = "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK \
    LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST \
    PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE \
    UPDATEREDIRECTREF VERSION-CONTROL";

fn is_registered(method: &str) -> bool {
    REGISTERED.split_ascii_whitespace().any(|registered| registered == method)
}

// === impl Method ===

impl Method {
    fn is_any(&self) -> bool {
        &*self.0 == "*"
    }
}

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        let upper = |b: u8| b.is_ascii_uppercase() || b == b'-' || b == b'_';
        let token = !text.is_empty() && text.len() <= 32 && text.bytes().all(upper);
        if text == "*" || (token && !is_never_allowed(text)) {
            Ok(Self(text.into()))
        } else {
            Err(MethodError(text.to_owned()))
        }
    }
}

// === impl MethodError ===

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        match text.as_str() {
            _ if is_never_allowed(text) => write!(f, "{text} cannot be allowed"),
            _ => {
                write!(f, "{text:?} is not a valid method; use upper case, as in \"GET\", or \"*\"")
            }
        }
    }
}

impl std::error::Error for MethodError {}
