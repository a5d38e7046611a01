//! One request's way through the edge: a struct a phase, methods that consume it.
//!
//! A phase has no method for an event that it does not expect, and [`Denied`] has no method that leads
//! out again.

mod attempt;
mod await_body;
mod await_keys;
mod await_lease;
mod await_request;
mod denied;
mod discard_body;
mod forwarded;
mod settle;
mod verdict;
mod wait;

pub use await_body::AwaitBody;
pub use await_keys::AwaitKeys;
pub use await_lease::AwaitLease;
pub use await_request::AwaitRequest;
pub use denied::Denied;
pub use discard_body::DiscardBody;
pub use forwarded::{Forwarded, PermitKind};
pub use verdict::Verdict;
pub use wait::Wait;

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod attempt_tests;
#[cfg(test)]
mod header_tests;
#[cfg(test)]
mod keys_tests;
#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod operation_tests;
#[cfg(test)]
mod report_tests;
#[cfg(test)]
mod session_end_tests;
#[cfg(test)]
mod sync_tests;
#[cfg(test)]
mod tests;
