//! Why a lease that was granted could not be given.

use super::reason::RefusalReason;
use custody_ledger::LedgerFault;

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The last source's; the operator's log has the rest.
    #[error("no source gave the credential: {}", .0.code())]
    Source(RefusalReason),
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
    #[error("it was revoked meanwhile: {}", .0.code())]
    Revoked(RefusalReason),
}

// === impl Failure ===

impl Failure {
    /// For the audit log, and for the answer.
    pub fn reason(&self) -> RefusalReason {
        match self {
            Self::Source(reason) | Self::Revoked(reason) => *reason,
            Self::Ledger(_) => RefusalReason::Ledger,
            Self::Exhausted => RefusalReason::AttemptsExhausted,
            Self::Lost => RefusalReason::ReservationLost,
            Self::CallerGone => RefusalReason::CallerGone,
            Self::Stale => RefusalReason::ChangedMeanwhile,
        }
    }
}
