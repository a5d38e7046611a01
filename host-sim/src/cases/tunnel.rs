//! The CONNECT around a request, and what Envoy carries from it to the inner listener.

use serde::Deserialize;
use serde_json::Value;

/// The guest's CONNECT. As text it is the authority alone; `none` is no CONNECT at all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Connect {
    Authority(String),
    Full(FullConnect),
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullConnect {
    pub authority: String,
    /// `Proxy-Authorization`; the session as Basic credentials unless said otherwise, and not there
    /// at all if `none`.
    #[serde(default)]
    pub authorization: Option<String>,
    /// More of its header lines, in front of that one.
    #[serde(default)]
    pub headers: Vec<String>,
    /// False: the outer listener lets the tunnel open unasked, so that the inner check stands alone.
    /// Not possible on a real proxy.
    #[serde(default = "yes")]
    pub checked: bool,
}

/// Names of the filter state that the outer listener's `set_filter_state` leaves to the inner one.
pub(super) const CONNECT_AUTHORITY: &str = "leasehold.connect_authority";
pub(super) const CONNECT_SESSION: &str = "leasehold.connect_session";
pub(super) const CONNECT_REFUSAL: &str = "leasehold.connect_refusal";

/// A tunnel as it is opened, templates filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The CONNECT's target.
    pub authority: String,
    /// `Proxy-Authorization`.
    pub authorization: Option<String>,
    /// See [`FullConnect::headers`].
    pub headers: Vec<String>,
    /// See [`FullConnect::checked`].
    pub checked: bool,
    /// The server name of the TLS inside; `None` for none.
    pub sni: Option<String>,
}

fn yes() -> bool {
    true
}

// === impl Connect ===

impl TryFrom<Value> for Connect {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::String(authority) => Ok(Self::Authority(authority)),
            value => {
                serde_json::from_value(value).map(Self::Full).map_err(|error| error.to_string())
            }
        }
    }
}

impl Connect {
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::Authority(text) if text == "none")
    }

    /// False where the outer listener is told to let it pass; see [`FullConnect::checked`].
    pub fn is_checked(&self) -> bool {
        self.full().checked
    }

    pub(super) fn full(&self) -> FullConnect {
        match self {
            Self::Authority(authority) => {
                let authority = authority.clone();
                FullConnect { authority, authorization: None, headers: Vec::new(), checked: true }
            }
            Self::Full(full) => full.clone(),
        }
    }
}
