//! Every denial.

pub mod reason;

use lease::{LeaseFault, RefusalCode};
use session::Refusal;

/// A refusal with a stable reason code. The guest gets the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    // --- the session ---
    SessionMissing,
    /// Two carriers, or two values of one, hold different tokens.
    SessionAmbiguous,
    /// The issuer's keys have not come yet.
    SessionKeysMissing,
    /// They are too old to be valid.
    SessionKeysStale,
    Session(Refusal),
    /// It is good in another place.
    SessionBinding,
    /// Custody has reported that this session is over.
    SessionRevoked,
    /// Custody's kill switch: nothing passes.
    KillSwitch,
    // --- the request ---
    AuthorityMalformed,
    /// In the explicit posture a request comes through a tunnel.
    ConnectRequired,
    NestedConnect,
    /// The request's authority is not the CONNECT's.
    AuthorityMismatch,
    /// The request's host is not the SNI.
    SniMismatch,
    PathMalformed,
    RequestMalformed,
    // --- the allow-list ---
    HostNotAllowed,
    PortNotAllowed,
    SessionNotAllowed,
    MethodNotAllowed,
    PathNotAllowed,
    /// A parameter of the query is not what the rule expects, or can be read in two ways.
    QueryNotAllowed,
    /// A header is not what the rule expects, or names a second resource that is not allowed.
    HeaderNotAllowed,
    /// The rule that fits does not allow the protocol the request wants to upgrade to.
    UpgradeNotAllowed,
    DestinationAmbiguous,
    // --- the operation ---
    /// The guest's name for its operation is not a valid one.
    IdempotencyKey,
    BodyTooLarge,
    /// `Expect` with a body that is part of the operation.
    ExpectationFailed,
    /// The body did not end in time, or the host does not show it.
    BodyTimeout,
    /// The operation had its one lease before.
    ReplayRejected,
    // --- custody and its leases ---
    /// The last update from custody is too old.
    RevocationsStale,
    HandleRevoked,
    CustodyRefused,
    CustodyRateLimited,
    CustodyUnavailable,
    CustodyTimeout,
    CustodyUnknownCluster,
    /// An answer outside the contract.
    CustodyAnswer,
    Lease(LeaseFault),
    // --- ourselves ---
    NotConfigured,
    /// A host call failed, or an event came that the phase does not expect.
    Internal,
}

// === impl Denial ===

impl Denial {
    /// All of them, for metrics and for the table in the documentation.
    pub const ALL: [Self; 55] = [
        Self::SessionMissing,
        Self::SessionAmbiguous,
        Self::SessionKeysMissing,
        Self::SessionKeysStale,
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
        Self::SessionBinding,
        Self::SessionRevoked,
        Self::KillSwitch,
        Self::AuthorityMalformed,
        Self::ConnectRequired,
        Self::NestedConnect,
        Self::AuthorityMismatch,
        Self::SniMismatch,
        Self::PathMalformed,
        Self::RequestMalformed,
        Self::HostNotAllowed,
        Self::PortNotAllowed,
        Self::SessionNotAllowed,
        Self::MethodNotAllowed,
        Self::PathNotAllowed,
        Self::QueryNotAllowed,
        Self::HeaderNotAllowed,
        Self::UpgradeNotAllowed,
        Self::DestinationAmbiguous,
        Self::IdempotencyKey,
        Self::BodyTooLarge,
        Self::ExpectationFailed,
        Self::BodyTimeout,
        Self::ReplayRejected,
        Self::RevocationsStale,
        Self::HandleRevoked,
        Self::CustodyRefused,
        Self::CustodyRateLimited,
        Self::CustodyUnavailable,
        Self::CustodyTimeout,
        Self::CustodyUnknownCluster,
        Self::CustodyAnswer,
        Self::Lease(LeaseFault::Malformed),
        Self::Lease(LeaseFault::NoExpiry),
        Self::Lease(LeaseFault::Expired),
        Self::Lease(LeaseFault::TooLong),
        Self::Lease(LeaseFault::Header(lease::HeaderFault::Value)),
        Self::Lease(LeaseFault::Binding),
        Self::NotConfigured,
        Self::Internal,
    ];

    pub const fn code(self) -> &'static str {
        self.reason().code
    }

    /// The denial of this code.
    #[cold]
    pub fn of_code(code: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|denial| denial.code().as_bytes() == code)
    }

    /// May a CONNECT get this denial in its tunnel? One without a session gets the proxy's challenge, which
    /// clients answer, and one that cannot be judged gets no tunnel.
    pub const fn is_of_tunnel(self) -> bool {
        matches!(
            self,
            Self::Session(_)
                | Self::SessionAmbiguous
                | Self::SessionKeysMissing
                | Self::SessionKeysStale
                | Self::SessionBinding
                | Self::SessionRevoked
                | Self::KillSwitch
                | Self::HostNotAllowed
                | Self::PortNotAllowed
                | Self::SessionNotAllowed
        )
    }

    /// The denial for a refusal of custody. The reason of the refusal stays in custody (invariant 8).
    pub fn of_refusal(code: RefusalCode) -> Self {
        match code {
            RefusalCode::SessionRefused | RefusalCode::NotGranted => Self::CustodyRefused,
            RefusalCode::ReplayRejected => Self::ReplayRejected,
            RefusalCode::RateLimited => Self::CustodyRateLimited,
            RefusalCode::Unavailable | RefusalCode::SessionKeysUnavailable => {
                Self::CustodyUnavailable
            }
            RefusalCode::BadRequest => Self::CustodyAnswer,
        }
    }
}

impl From<Refusal> for Denial {
    fn from(refusal: Refusal) -> Self {
        Self::Session(refusal)
    }
}

impl From<LeaseFault> for Denial {
    fn from(fault: LeaseFault) -> Self {
        Self::Lease(fault)
    }
}

#[cfg(test)]
mod tests;
