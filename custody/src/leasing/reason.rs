//! The reasons why custody gives no lease: code, answer, meaning and fix of each, in one place.

use crate::grants::Gap;
use crate::keys::VerifyFault;
use crate::limits::SessionOver;
use custody_backends::BackendFault;
use custody_ledger::Blocker;
use lease::RefusalCode;
use session::Refusal;

/// The reason that the audit log has of a lease that was not given. The edge gets [`Self::answer`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    // --- the session ---
    Session(Refusal),
    SessionKeysUnavailable,
    SessionAuthTime,
    SessionAbsolute,
    SessionIdle,
    // --- the rates ---
    SessionRate,
    HandleRate,
    // --- the grants ---
    Gap(Gap),
    Fingerprint,
    FingerprintMissing,
    GrantsChanged,
    // --- what is revoked ---
    Blocked(Blocker),
    // --- the operation ---
    Replay,
    AttemptsExhausted,
    ReservationLost,
    CallerGone,
    ChangedMeanwhile,
    // --- the ledger and the sources ---
    Ledger,
    CredentialAbsent,
    CredentialUnreadable,
    BackendDenied,
    BackendDown,
    CommandFailed,
    RefreshTokenLost,
    RefreshTokenNotStored,
    NoBackendAvailable,
    CredentialUnfit,
}

// === impl RefusalReason ===

impl RefusalReason {
    /// Every reason, in the order of the checks; for the table in the documentation.
    pub const ALL: [Self; 46] = [
        Self::Session(Refusal::TooLarge),
        Self::Session(Refusal::Malformed),
        Self::Session(Refusal::Algorithm),
        Self::Session(Refusal::UnknownKey),
        Self::Session(Refusal::Signature),
        Self::Session(Refusal::Issuer),
        Self::Session(Refusal::Audience),
        Self::Session(Refusal::Expired),
        Self::Session(Refusal::NotYetValid),
        Self::Session(Refusal::Lifetime),
        Self::Session(Refusal::Claims("")),
        Self::SessionKeysUnavailable,
        Self::SessionRate,
        Self::SessionAuthTime,
        Self::SessionAbsolute,
        Self::Gap(Gap::Handle),
        Self::Gap(Gap::Destination),
        Self::Gap(Gap::Method),
        Self::Gap(Gap::Binding),
        Self::Gap(Gap::Claims),
        Self::Gap(Gap::Actor),
        Self::FingerprintMissing,
        Self::Fingerprint,
        Self::Blocked(Blocker::KillSwitch),
        Self::Blocked(Blocker::Session),
        Self::Blocked(Blocker::Handle),
        Self::Blocked(Blocker::Actor),
        Self::Blocked(Blocker::Lease),
        Self::SessionIdle,
        Self::HandleRate,
        Self::Replay,
        Self::AttemptsExhausted,
        Self::ReservationLost,
        Self::CallerGone,
        Self::GrantsChanged,
        Self::ChangedMeanwhile,
        Self::Ledger,
        Self::CredentialAbsent,
        Self::CredentialUnreadable,
        Self::BackendDenied,
        Self::BackendDown,
        Self::CommandFailed,
        Self::RefreshTokenLost,
        Self::RefreshTokenNotStored,
        Self::NoBackendAvailable,
        Self::CredentialUnfit,
    ];

    /// Stable, for the audit log and the metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Session(refusal) => refusal.code(),
            Self::SessionKeysUnavailable => "session_keys_unavailable",
            Self::SessionAuthTime => "session_auth_time",
            Self::SessionAbsolute => "session_absolute",
            Self::SessionIdle => "session_idle",
            Self::SessionRate => "session_rate",
            Self::HandleRate => "handle_rate",
            Self::Gap(gap) => gap.code(),
            Self::Fingerprint => "fingerprint",
            Self::FingerprintMissing => "fingerprint_missing",
            Self::GrantsChanged => "grants_changed",
            Self::Blocked(blocker) => blocker.reason(),
            Self::Replay => "replay",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::ReservationLost => "reservation_lost",
            Self::CallerGone => "caller_gone",
            Self::ChangedMeanwhile => "changed_meanwhile",
            Self::Ledger => "ledger",
            Self::CredentialAbsent => "credential_absent",
            Self::CredentialUnreadable => "credential_unreadable",
            Self::BackendDenied => "backend_denied",
            Self::BackendDown => "backend_down",
            Self::CommandFailed => "command_failed",
            Self::RefreshTokenLost => "refresh_token_lost",
            Self::RefreshTokenNotStored => "refresh_token_not_stored",
            Self::NoBackendAvailable => "no_backend_available",
            Self::CredentialUnfit => "credential_unfit",
        }
    }

    /// The code that the edge gets; it determines the HTTP status.
    pub const fn answer(self) -> RefusalCode {
        match self {
            Self::Session(_)
            | Self::SessionAuthTime
            | Self::SessionAbsolute
            | Self::SessionIdle
            | Self::Blocked(Blocker::Session) => RefusalCode::SessionRefused,
            Self::SessionKeysUnavailable => RefusalCode::SessionKeysUnavailable,
            Self::SessionRate | Self::HandleRate => RefusalCode::RateLimited,
            Self::Gap(_)
            | Self::Fingerprint
            | Self::FingerprintMissing
            | Self::GrantsChanged
            | Self::Blocked(
                Blocker::KillSwitch | Blocker::Handle | Blocker::Actor | Blocker::Lease,
            ) => RefusalCode::NotGranted,
            Self::Replay => RefusalCode::ReplayRejected,
            Self::AttemptsExhausted
            | Self::ReservationLost
            | Self::CallerGone
            | Self::ChangedMeanwhile
            | Self::Ledger
            | Self::CredentialAbsent
            | Self::CredentialUnreadable
            | Self::BackendDenied
            | Self::BackendDown
            | Self::CommandFailed
            | Self::RefreshTokenLost
            | Self::RefreshTokenNotStored
            | Self::NoBackendAvailable
            | Self::CredentialUnfit => RefusalCode::Unavailable,
        }
    }

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
        Refusal::UnknownKey => "`kid` is missing, or names no usable key of `session.keys`.",
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
            "Custody has fetched no session keys yet, or the last good set is older than `keep`.",
            "Check the URL of `session.keys`; custody's log has the cause. Custody retries by itself.",
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
            "The command of the backend failed, took too long, or wrote no usable credential.",
            "Run the command by hand as custody's user; custody's log has its exit status.",
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
            "The backend gave a credential with no lifetime left, or with more than it may have.",
            "Check the lifetimes at the backend, and the clocks.",
        ),
    }
}

impl From<VerifyFault> for RefusalReason {
    fn from(fault: VerifyFault) -> Self {
        match fault {
            VerifyFault::Refused(refusal) => Self::Session(refusal),
            VerifyFault::NoKeys => Self::SessionKeysUnavailable,
        }
    }
}

impl From<SessionOver> for RefusalReason {
    fn from(over: SessionOver) -> Self {
        match over {
            SessionOver::NoAuthTime => Self::SessionAuthTime,
            SessionOver::Absolute => Self::SessionAbsolute,
        }
    }
}

impl From<&BackendFault> for RefusalReason {
    fn from(fault: &BackendFault) -> Self {
        match fault {
            BackendFault::Absent => Self::CredentialAbsent,
            BackendFault::Unreadable(_) => Self::CredentialUnreadable,
            BackendFault::Denied(_) => Self::BackendDenied,
            BackendFault::Down(_) => Self::BackendDown,
            BackendFault::CommandFailed(_) => Self::CommandFailed,
            BackendFault::RefreshTokenLost(_) => Self::RefreshTokenLost,
            BackendFault::RefreshTokenNotStored(_) => Self::RefreshTokenNotStored,
            BackendFault::NoBackendAvailable { .. } => Self::NoBackendAvailable,
            BackendFault::Unfit(_) => Self::CredentialUnfit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_fault_becomes_the_reason_of_the_same_code() {
        for fault in [
            BackendFault::Absent,
            BackendFault::Unreadable(String::new()),
            BackendFault::Denied(String::new()),
            BackendFault::Down(String::new()),
            BackendFault::CommandFailed(String::new()),
            BackendFault::RefreshTokenLost(String::new()),
            BackendFault::RefreshTokenNotStored(String::new()),
            BackendFault::NoBackendAvailable { kind: None },
            BackendFault::Unfit(""),
        ] {
            let reason = RefusalReason::from(&fault);
            assert_eq!(reason.code(), fault.code());
            assert!(RefusalReason::ALL.contains(&reason), "{reason:?}");
        }
    }

    #[test]
    fn session_fault_becomes_the_reason_of_the_same_code() {
        for code in Refusal::CODES {
            assert!(RefusalReason::ALL.iter().any(|reason| reason.code() == code), "{code}");
        }
        assert_eq!(RefusalReason::from(VerifyFault::NoKeys).code(), VerifyFault::NoKeys.code());
    }
}
