//! Sessions that are good in one place only.

use crate::policy::denial::Denial;
use session::{ClaimPath, Session};

/// A claim that must name the place a request came to.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionBinding {
    pub claim: ClaimPath,
    pub source: BindingSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingSource {
    /// As the configuration calls it.
    Named(String),
    /// The value of an attribute of Envoy's, by its path, the parts divided by NUL.
    Attribute(String),
}

// === impl SessionBinding ===

impl SessionBinding {
    /// The attribute that has to be looked up, if any.
    pub fn attribute(&self) -> Option<&str> {
        match &self.source {
            BindingSource::Named(_) => None,
            BindingSource::Attribute(path) => Some(path),
        }
    }

    /// `attribute`: its value from the host.
    ///
    /// # Errors
    /// [`Denial::SessionBinding`], also where claim or attribute is missing, or the claim is not text.
    pub fn check(&self, session: &Session, attribute: Option<&[u8]>) -> Result<(), Denial> {
        let place = match &self.source {
            BindingSource::Named(name) => Some(name.as_bytes()),
            BindingSource::Attribute(_) => attribute,
        };
        let claim = session.claim_at(&self.claim).and_then(|claim| claim.as_str());
        match (claim, place) {
            (Some(claim), Some(place)) if claim.as_bytes() == place => Ok(()),
            _ => Err(Denial::SessionBinding),
        }
    }
}
