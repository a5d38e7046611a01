//! The decision about a request.

use super::await_body::AwaitBody;
use super::denied::Denied;
use super::forwarded::Forwarded;
use super::wait::Wait;

/// The next step for a request.
pub enum Verdict {
    Forward(Forwarded),
    /// Hold the request, and show its body as it comes.
    Read(Box<AwaitBody>),
    /// Hold the request, and [`settle`](Wait::settle) it when its fetch has completed.
    Wait(Wait),
    Deny(Denied),
    /// Let the CONNECT into a tunnel in which every request gets this denial.
    RefuseInTunnel(Denied),
}
