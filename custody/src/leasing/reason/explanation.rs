//! The meaning of each reason, and the fix for the operator.

use super::RefusalReason;
use crate::grants::Gap;
use custody_ledger::Blocker;
use session::Refusal;

// === impl RefusalReason ===

impl RefusalReason {
    /// The meaning, and the fix for the operator; one sentence or more of Markdown each.
    pub const fn explanation(self) -> (&'static str, &'static str) {
        match self {
            Self::Session(refusal) => of_session(refusal),
            Self::SessionKeysUnavailable
            | Self::SessionAuthTime
            | Self::SessionAbsolute
            | Self::SessionIdle
            | Self::SessionRate
            | Self::HandleRate => of_limits(self),
            Self::Gap(gap) => of_gap(gap),
            Self::Fingerprint | Self::FingerprintMissing | Self::GrantsChanged => of_grants(self),
            Self::Blocked(blocker) => of_blocker(blocker),
            Self::Replay
            | Self::AttemptsExhausted
            | Self::ReservationLost
            | Self::CallerGone
            | Self::ChangedMeanwhile => of_operation(self),
            _ => of_source(self),
        }
    }
}

const fn of_session(refusal: Refusal) -> (&'static str, &'static str) {
    let meaning = match refusal {
        Refusal::TooLarge => "The token is over 8 KiB, or its header over 1 KiB.",
        Refusal::Malformed => "The token is not a well-formed JWT.",
        Refusal::Algorithm => "`alg` is not the algorithm that the key is pinned to.",
        Refusal::UnknownKey => "`kid` is missing, or names no usable key of the token's issuer.",
        Refusal::Signature => "The signature does not match the key that `kid` names.",
        Refusal::Issuer => "`iss` is not an issuer of the configuration.",
        Refusal::Audience => "`aud` names no audience of the issuer.",
        Refusal::Expired => "`exp` has passed by custody's clock.",
        Refusal::NotYetValid => "`nbf` or `iat` is further in the future than the leeway.",
        Refusal::Lifetime => {
            "`exp` is not after `iat`, or the token is older than the issuer's `max_lifetime`."
        }
        Refusal::Claims(_) | Refusal::Name | Refusal::Required => {
            "A claim is missing, has the wrong JSON type, or lacks a value of `required_claims`."
        }
    };
    (meaning, "The edge has the same rule: see the code of this name in [denials.md](denials.md).")
}

const fn of_limits(reason: RefusalReason) -> (&'static str, &'static str) {
    match reason {
        RefusalReason::SessionKeysUnavailable => (
            "Custody has fetched no keys of the token's issuer yet, or the last good set is older than `keep`.",
            "Check the issuer's `keys.url`; custody's log has the cause. Custody retries by itself.",
        ),
        RefusalReason::SessionAuthTime => (
            "`session.absolute` is set, and the token has no usable `auth_time`.",
            "Issue sessions with `auth_time`, not later than `iat`.",
        ),
        RefusalReason::SessionAbsolute => {
            ("The session is older than `session.absolute` allows.", "The user logs in again.")
        }
        RefusalReason::SessionIdle => (
            "The session was not in use for the time of `session.idle`; custody ended it.",
            "Ask the control plane for a new session.",
        ),
        RefusalReason::SessionRate => (
            "The session asks more often than `limits.per_session` allows.",
            "Slow down, or raise the limit. The edge gets `Retry-After`.",
        ),
        _ => (
            "The handle is leased more often than `limits.per_handle` allows.",
            "Slow down, or raise the limit. The edge gets `Retry-After`.",
        ),
    }
}

const fn of_gap(gap: Gap) -> (&'static str, &'static str) {
    match gap {
        Gap::Handle => (
            "No grant names the handle.",
            "Add a grant, or correct `destinations[].credential.handle` at the edge.",
        ),
        Gap::Destination => (
            "No grant of the handle has this host and port.",
            "Compare the grant's destinations with those of the edge.",
        ),
        Gap::Method => ("No grant of the handle allows the method.", "Add it to the grant."),
        Gap::Binding => (
            "No grant of the handle gives leases of this binding.",
            "Compare `binding` in the grant with the edge's `single_use`.",
        ),
        Gap::Claims => (
            "The session does not have the claims that the grant demands.",
            "Ask the control plane for a session with the claims, or change the grant.",
        ),
        Gap::Actor => (
            "The claim that the grant takes the actor from is absent, or is not the name of an actor.",
            "Issue sessions with the claim, or correct `actor` in the grant.",
        ),
    }
}

const fn of_grants(reason: RefusalReason) -> (&'static str, &'static str) {
    match reason {
        RefusalReason::Fingerprint => (
            "The request does not match the fingerprint that it carries.",
            "Check that edge and custody have the same version.",
        ),
        RefusalReason::FingerprintMissing => (
            "The request for a single-use lease has no fingerprint.",
            "Check that edge and custody have the same version.",
        ),
        _ => (
            "A reload of the grants removed the grant while the lease was in preparation.",
            "Restore the grant if the session may have it.",
        ),
    }
}

const fn of_blocker(blocker: Blocker) -> (&'static str, &'static str) {
    match blocker {
        Blocker::KillSwitch => ("The kill switch is on.", "Turn it off: `custody kill off`."),
        Blocker::Session => (
            "The operator, or custody itself, has revoked the session.",
            "Ask the control plane for a new session, if the guest may have one.",
        ),
        Blocker::Handle => ("The handle is revoked.", "Restore it: `custody restore`."),
        Blocker::Actor => {
            ("The actor that owns the handle is revoked.", "Restore it: `custody restore`.")
        }
        Blocker::Lease => (
            "The lease of this operation is revoked.",
            "Send the operation under a new idempotency key.",
        ),
    }
}

const fn of_operation(reason: RefusalReason) -> (&'static str, &'static str) {
    match reason {
        RefusalReason::Replay => (
            "The operation has had its one lease.",
            "Check the result of the operation. A new operation needs a new idempotency key.",
        ),
        RefusalReason::AttemptsExhausted => (
            "Custody made every attempt that one operation may have, and each failed.",
            "Fix the source that the earlier records name, then send a new operation.",
        ),
        RefusalReason::ReservationLost => (
            "Another replica took the operation over, because this one held it too long.",
            "Check the load of custody and of the ledger. A retry is safe.",
        ),
        RefusalReason::CallerGone => (
            "The edge hung up, or the time limit passed, before the lease was ready.",
            "Compare `custody.timeout` at the edge with the time that the source needs.",
        ),
        _ => (
            "The secret, its handle or its actor changed too often while custody issued the lease.",
            "A retry is safe.",
        ),
    }
}

const fn of_source(reason: RefusalReason) -> (&'static str, &'static str) {
    match reason {
        RefusalReason::Ledger => (
            "The ledger failed.",
            "Custody's log has the cause; check the disk or the database. Custody retries by itself.",
        ),
        RefusalReason::CredentialAbsent => {
            ("No source has a credential under the handle.", "Store it: `custody cred put`.")
        }
        RefusalReason::CredentialUnreadable => (
            "The credential cannot be opened, or its value is not usable.",
            "Check the root key, then store the credential again.",
        ),
        RefusalReason::BackendDenied => (
            "The backend rejects custody's request.",
            "Check custody's own permissions at the backend; custody's log has its answer's code.",
        ),
        RefusalReason::BackendDown => {
            ("The backend does not answer.", "Check the backend and the network to it.")
        }
        RefusalReason::CommandFailed => (
            "The command did not start, exited with an error, took too long, or wrote more than 64 KiB.",
            "Run the command by hand as custody's user; custody's log has its exit status and error text.",
        ),
        RefusalReason::RefreshTokenLost => (
            "The issuer replaced the refresh token, and custody does not have the next one.",
            "Log in at the provider again, and store the new refresh token.",
        ),
        RefusalReason::RefreshTokenNotStored => (
            "The issuer replaced the refresh token, and custody has the next one in memory alone.",
            "Do not stop custody. Mend the store; custody stores the token at the next request.",
        ),
        RefusalReason::NoBackendAvailable => (
            "No backend is configured that has credentials of this type.",
            "Compare `credentials` with `backends` in the configuration.",
        ),
        _ => (
            "The source's credential has ended, has a wrong type or too wide a scope, or lacks a part that the \
             configuration names.",
            "Custody's log names the part. Compare the source's answer with the configuration; check the clocks.",
        ),
    }
}
