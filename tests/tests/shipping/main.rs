//! What is shipped, looked at as whoever receives it would: the release, and the manifests, against
//! the tools and the schemas of the projects that they are for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod compose;
mod composed;
mod deploy;
mod inside_addresses;
mod istio;
mod kinds;
mod release;
mod schema;
mod workflows;
