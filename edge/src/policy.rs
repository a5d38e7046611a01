//! The result of compiling a configuration.

pub mod allow_list;
pub(crate) mod binding;
pub mod carrier;
pub mod custody;
mod decoding;
pub mod denial;
pub mod destination;
pub mod edits;
pub mod expected;
pub mod glob;
pub(crate) mod head;
pub mod issuer;
pub mod links;
mod named_resource;
pub mod operation;
pub mod path;
pub mod path_error;
pub mod path_syntax;
pub mod permit;
pub mod posture;
pub mod problem;
pub(crate) mod proxy_headers;
pub mod query;
pub(crate) mod session_token;
mod wildcard;

use allow_list::AllowList;
use binding::SessionBinding;
use carrier::Carrier;
use custody::Custody;
use issuer::Issuer;
use posture::Ingress;

/// A whole, checked configuration. There is no way to one but [`Config::read`](crate::config::Config).
#[derive(Debug)]
pub struct Policy {
    /// By what a newer configuration of the same policy is known.
    pub(crate) version: Option<PolicyVersion>,
    pub(crate) ingress: Ingress,
    /// A CONNECT that is denied may open a tunnel in which every request is denied.
    pub(crate) refuses_in_tunnel: bool,
    pub(crate) carriers: Vec<Carrier>,
    /// At least one.
    pub(crate) issuers: Vec<Issuer>,
    /// How far clocks may differ, in seconds.
    pub(crate) leeway: u64,
    /// Where a session is good; everywhere if absent.
    pub(crate) binding: Option<SessionBinding>,
    pub(crate) inject: Inject,
    pub(crate) custody: Option<Custody>,
    pub(crate) allow_list: AllowList,
}

/// The name and the generation of a policy. Of the policies of one name in a VM, the one with the highest
/// generation judges every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    pub name: String,
    pub generation: u64,
}

/// Where in Envoy a lease is written into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inject {
    /// When the request is judged, once.
    Downstream,
    /// Once an attempt, by a second filter.
    Upstream,
}

// === impl PolicyVersion ===

impl PolicyVersion {
    /// Does a configuration of this version end the judging of one of that?
    pub fn supersedes(&self, other: &Self) -> bool {
        self.name == other.name && self.generation > other.generation
    }
}
