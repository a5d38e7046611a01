//! What a configuration compiles to.

use crate::allow_list::AllowList;
use crate::config::{Carrier, CustodyConfig, Posture};
use lease::Authority;
use session::Verifier;

/// A whole, checked configuration. There is no way to one but [`Config::read`](crate::config::Config).
#[derive(Debug)]
pub struct Policy {
    pub(crate) posture: Posture,
    /// Names under which a gateway itself is called.
    pub(crate) own_authorities: Vec<Authority>,
    pub(crate) carriers: Vec<Carrier>,
    pub(crate) verifier: Verifier,
    pub(crate) custody: Option<CustodyConfig>,
    pub(crate) allow_list: AllowList,
}
