//! Cases as data: what a guest does, what custody answers, what must come of it.
//!
//! A case says only what can be seen from outside the proxy, so the same file can be run against a
//! real Envoy.

mod act;
mod compare;
mod custody;
mod default_front;
mod error;
mod expect;
mod file;
mod issuer;
mod keys;
mod observed;
mod plugin;
pub mod request_text;
mod runner;
mod session;
mod sync_script;
mod template;
mod tunnel;

pub use act::Act;
pub use custody::{CustodyAnswer, CustodyScript};
pub use error::CaseError;
pub use expect::{Difference, Expect, ExpectUpstream};
pub use file::{Case, CaseFile, Posture, Response, Step, Stream, read_yaml};
pub use issuer::IssuerScript;
pub use keys::{Algorithm, Signer};
pub use observed::{Observed, Stage};
pub use plugin::{ClusterAnswer, ClusterFault, ClusterScripts, FailPolicyName, PluginSpec};
pub use runner::{CaseRun, StepRun, run_case, run_case_with};
pub use session::SessionSpec;
pub use sync_script::{SyncStep, SyncUpdate};
pub use template::Template;
pub use tunnel::{Connect, Tunnel};
