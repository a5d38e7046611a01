//! The audit log: who was given which lease, and who was not.
//!
//! JSON lines, in a file that custody closes now and then to begin the next ([`segments`]). Each line
//! ends in the SHA-256 of itself, which covers the hash of the line before it ([`chain`]); so a line
//! that is changed, removed, added or moved breaks the chain from there on. The chain cannot show that
//! the newest lines were cut off. To detect that, store the last hash (`custody audit verify` prints
//! it) somewhere else.
//!
//! A record is durable (written and synced) before anything it speaks of happens ([`writer`]).
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing),
    deny(clippy::print_stdout)
)]

pub mod chain;
pub mod day;
pub mod entry;
pub mod medium;
pub mod merkle;
pub mod ocsf;
pub mod recovery;
pub mod sampling;
pub mod segments;
pub mod verify;
pub mod writer;

pub use entry::{Entry, Event, Outcome};
pub use segments::Segments;
pub use writer::{AuditFault, AuditLog};
