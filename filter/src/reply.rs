//! Denials on their way to the guest: logged, counted, sent.

use crate::host::{self, Failed};
use crate::root::Root;
use edge::exchange::Denied;
use edge::policy::denial::Denial;
use edge::request::Request;

/// A request of a context that was never announced.
pub fn refuse_unknown() {
    log::error!("leasehold: ignored an event for an unknown context");
    let denied = Denied::new(Denial::Internal, &Request::default());
    send(&denied);
}

/// An attempt whose request is not known.
pub fn refuse(failed: Failed) {
    let denied = internal(failed);
    send(&denied);
}

/// A host call failed in the middle of a decision, so the filter denies.
pub fn internal(Failed(status): Failed) -> Denied {
    log::error!("leasehold: a host call returned status {status}");
    Denied::new(Denial::Internal, &Request::default())
}

/// Counts a denial, and logs it unless there were many.
pub fn note(denied: &Denied, root: &mut Root) {
    if !root.denied(denied.denial()) {
        return;
    }
    let (code, status) = (denied.denial().code(), denied.status());
    let request_id = denied.request_id().unwrap_or("-");
    log::warn!("leasehold: denied reason={code} status={status} request_id={request_id}");
}

/// Has the host answer in place of the upstream; does it?
pub fn send(denied: &Denied) -> bool {
    let reply = denied.reply();
    let details = ["leasehold_", denied.denial().code()].concat();
    let sent = host::send_local_response(reply.status, &details, &reply.headers, &reply.body);
    if sent.is_err() {
        log::error!(
            "leasehold: failed to send a denial: the request stays paused, and the filter retries each tick"
        );
    }
    sent.is_ok()
}
