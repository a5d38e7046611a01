//! OpenBao: what is read from one server.
//!
//! The client is our own, on [`custody_base::outbound`]. The crates there are (vaultrs, with rustify) keep
//! tokens and answers in plain strings, put the body of an answer into their errors and choose
//! their own redirects; of OpenBao's API custody needs seven calls.

mod answer;
mod api;
mod client;
mod denials;
mod login_files;
mod settings;
mod source;
mod token;

pub use client::{Client, ClientFault};
pub use settings::{Fields, OpenBao, OpenBaoAuth, OpenBaoSource, SecretPath};
pub use source::Source;
