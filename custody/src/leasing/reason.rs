//! The reasons why custody gives no lease: code, answer, meaning and fix of each, in one place.

mod explanation;

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
    /// Every reason, in the order of the stages; for the table in the documentation.
    pub const ALL: [Self; 46] = [
        Self::Session(Refusal::TooLarge),
        Self::Session(Refusal::Malformed),
        Self::Session(Refusal::Issuer),
        Self::SessionKeysUnavailable,
        Self::Session(Refusal::UnknownKey),
        Self::Session(Refusal::Algorithm),
        Self::Session(Refusal::Signature),
        Self::Session(Refusal::Claims("")),
        Self::Session(Refusal::Audience),
        Self::Session(Refusal::Lifetime),
        Self::Session(Refusal::Expired),
        Self::Session(Refusal::NotYetValid),
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
