//! What a configuration compiles to.

use crate::allow_list::AllowList;
use crate::binding::SessionBinding;
use crate::config::{Carrier, CustodyConfig, Inject, PolicyVersion, Posture};
use crate::keys::KeySource;
use lease::Authority;
use session::Rules;

/// A whole, checked configuration. There is no way to one but [`Config::read`](crate::config::Config).
#[derive(Debug)]
pub struct Policy {
    /// By what a newer configuration of the same policy is known.
    pub(crate) version: Option<PolicyVersion>,
    pub(crate) posture: Posture,
    /// Names under which a gateway itself is called.
    pub(crate) own_authorities: Vec<Authority>,
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) rules: Rules,
    pub(crate) keys: KeySource,
    /// Where a session is good; everywhere if absent.
    pub(crate) binding: Option<SessionBinding>,
    pub(crate) inject: Inject,
    pub(crate) custody: Option<CustodyConfig>,
    pub(crate) allow_list: AllowList,
}
