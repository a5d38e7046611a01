//! What the end-to-end tests are written with.
//!
//! - [`guest`]: a guest who is in control of every byte: CONNECT by hand, any SNI, any header;
//! - [`wire`]: HTTP/1.1 as bytes, [`http2`]: h2 header by header, [`reply`]: what came back;
//! - [`manifests`]: the Kubernetes manifests that are shipped;
//! - [`namespace`]: a network of a test's own;
//! - [`forge`]: session tokens that nobody should believe;
//! - [`scene`]: a stack with the two oracles of a refusal, the guest's answer and the origin's count.
//!
//! Whoever needs an ordinary client takes `stack::guest::Guest`, which is `curl`.
// Only tests call this: a panic with a message is how it reports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod forge;
pub mod guest;
pub mod http2;
pub mod manifests;
pub mod namespace;
pub mod reply;
pub mod scene;
pub mod wire;
