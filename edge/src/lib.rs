//! Every decision of the trust-edge, without I/O.
//!
//! Nothing here asks the clock, the network or the host: a request, a time and custody's answer go
//! in, a verdict comes out. That is why all of it runs natively in tests, and why the adapter to
//! Envoy (`filter/`) is so small.
//!
//! ```text
//! request --> AwaitRequest --admit--> lease kept? --yes--> Forwarded
//!                  |                      | no
//!                  |                      +--> fetch --> AwaitLease --settle--> Forwarded
//!                  +-- a key that we do not know --> AwaitKeys --settle--> as AwaitRequest
//!                  +-- any Denial --> Denied
//! ```
//!
//! The chain that cannot be bypassed: only [`AllowList`](policy::allow_list::AllowList) makes a
//! [`Permit`](policy::permit::Permit), only a permit makes a lease request, and only a permit (with a live
//! lease, where the destination has a credential) makes a [`Forwarded`](exchange::Forwarded).
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod clock;
mod compile;
pub mod config;
mod digest;
pub mod exchange;
mod fifo_map;
pub mod headers;
pub mod ids;
pub mod policy;
pub mod request;
mod rng;
pub mod state;
mod trust_edge;

pub use clock::{Now, UnixSeconds};
pub use policy::{Policy, PolicyVersion};
pub use session::{Said, Signatures, Signed};
pub use trust_edge::TrustEdge;
