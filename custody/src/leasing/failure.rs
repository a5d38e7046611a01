//! Why a lease that was granted could not be given.

use custody_ledger::LedgerFault;
use lease::RefusalCode;

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// By a word for the audit log; the operator's log has the rest.
    #[error("no source gave the credential: {0}")]
    Source(&'static str),
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
    #[error("the attempts at this operation are used up")]
    Exhausted,
    #[error("the reservation was held too long and is another's now")]
    Lost,
    #[error("nobody waits for it any more")]
    CallerGone,
    #[error("its secret, handle or actor changes faster than a lease is given; ask again")]
    Stale,
    #[error("it was revoked meanwhile: {1}")]
    Revoked(RefusalCode, &'static str),
}

// === impl Failure ===

impl Failure {
    /// A word for the audit log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source(code) => code,
            Self::Ledger(_) => "ledger",
            Self::Exhausted => "attempts_exhausted",
            Self::Lost => "reservation_lost",
            Self::CallerGone => "caller_gone",
            Self::Stale => "changed_meanwhile",
            Self::Revoked(_, reason) => reason,
        }
    }

    /// What the edge is told.
    pub fn told(&self) -> RefusalCode {
        match self {
            Self::Revoked(code, _) => *code,
            Self::Source(_)
            | Self::Ledger(_)
            | Self::Exhausted
            | Self::Lost
            | Self::CallerGone
            | Self::Stale => RefusalCode::Unavailable,
        }
    }
}
