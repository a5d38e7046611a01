//! Keeping up with custody: what is revoked, and which sessions are in use.

mod poll;
mod report;
mod revocation_state;
mod revoked;

pub use poll::Poll;
pub use report::Report;
pub use revocation_state::RevocationState;
