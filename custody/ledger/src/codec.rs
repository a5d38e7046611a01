//! The words for custody's enums in the tables; the same in every store.

use super::{Blocker, Change, Closed, LedgerFault, Recorded, ReportedOutcome, Target};
use custody_base::actor::Actor;
use lease::{Binding, Handle, UnixSeconds};

/// A row of the table `change`, without its number.
pub(super) struct ChangeRow {
    pub(super) what: String,
    /// Kind and name of the target; not of the kill switch.
    pub(super) target: Option<(String, String)>,
    pub(super) until: Option<UnixSeconds>,
}

pub(super) const REVOKED: &str = "revoked";
pub(super) const RESTORED: &str = "restored";
pub(super) const TORN_DOWN: &str = "torn_down";

pub(super) fn kill_switch(on: bool) -> &'static str {
    if on { "kill_switch_on" } else { "kill_switch_off" }
}

pub(super) fn binding(binding: Binding) -> &'static str {
    match binding {
        Binding::Session => "session",
        Binding::SingleUse => "single_use",
    }
}

pub(super) fn read_binding(word: &str) -> Result<Binding, LedgerFault> {
    match word {
        "session" => Ok(Binding::Session),
        "single_use" => Ok(Binding::SingleUse),
        _ => Err(LedgerFault::Row("the binding")),
    }
}

/// The result of a store's check of a new lease.
pub(super) fn read_recorded(word: &str) -> Result<Recorded, LedgerFault> {
    match word {
        "written" => Ok(Recorded::Written),
        "stale" => Ok(Recorded::Stale),
        "lost" => Ok(Recorded::Lost),
        "kill_switch" => Ok(Recorded::Blocked(Blocker::KillSwitch)),
        "session" => Ok(Recorded::Blocked(Blocker::Session)),
        "handle" => Ok(Recorded::Blocked(Blocker::Handle)),
        "actor" => Ok(Recorded::Blocked(Blocker::Actor)),
        "lease" => Ok(Recorded::Blocked(Blocker::Lease)),
        _ => Err(LedgerFault::Row("the check of a lease")),
    }
}

/// The columns `outcome` and `failure_code`.
pub(super) fn read_reported_outcome(
    outcome: Option<String>,
    failure_code: Option<String>,
) -> Result<Option<ReportedOutcome>, LedgerFault> {
    let outcome = match outcome.as_deref() {
        None => return Ok(None),
        Some("accepted") => Closed::Accepted,
        Some("delivered") => Closed::Delivered,
        Some("failed") => Closed::Failed,
        Some(_) => return Err(LedgerFault::Row("the outcome")),
    };
    Ok(Some(ReportedOutcome { outcome, failure_code }))
}

/// Where the table `lease` names a target.
pub(super) fn lease_column(target: &Target) -> &'static str {
    match target {
        Target::Session(_) => "session",
        Target::Lease(_) => "lease_id",
        Target::Handle(_) => "handle",
        Target::Actor(_) => "actor",
    }
}

pub(super) fn read_handle(text: String) -> Result<Handle, LedgerFault> {
    Handle::try_from(text).map_err(|_| LedgerFault::Row("the handle"))
}

pub(super) fn read_actor(text: String) -> Result<Actor, LedgerFault> {
    Actor::try_from(text).map_err(|_| LedgerFault::Row("the actor"))
}

// === impl Target ===

impl Target {
    /// As the tables and the audit log have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Lease(_) => "lease",
            Self::Handle(_) => "handle",
            Self::Actor(_) => "actor",
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Session(name) | Self::Lease(name) => name,
            Self::Handle(handle) => handle.as_str(),
            Self::Actor(actor) => actor.as_str(),
        }
    }

    pub(super) fn read(kind: &str, name: String) -> Result<Self, LedgerFault> {
        match kind {
            "session" => Ok(Self::Session(name)),
            "lease" => Ok(Self::Lease(name)),
            "handle" => read_handle(name).map(Self::Handle),
            "actor" => read_actor(name).map(Self::Actor),
            _ => Err(LedgerFault::Row("the kind of a revocation")),
        }
    }
}

// === impl ChangeRow ===

impl ChangeRow {
    pub(super) fn read(self) -> Result<Change, LedgerFault> {
        match (self.what.as_str(), self.target) {
            (REVOKED, Some((kind, name))) => {
                Ok(Change::Revoked { target: Target::read(&kind, name)?, until: self.until })
            }
            (RESTORED, Some((kind, name))) => {
                Ok(Change::Restored { target: Target::read(&kind, name)? })
            }
            (TORN_DOWN, Some((kind, name))) => match Target::read(&kind, name)? {
                Target::Actor(actor) => Ok(Change::TornDown { actor }),
                _ => Err(LedgerFault::Row("a change")),
            },
            ("kill_switch_on", None) => Ok(Change::KillSwitch { on: true }),
            ("kill_switch_off", None) => Ok(Change::KillSwitch { on: false }),
            _ => Err(LedgerFault::Row("a change")),
        }
    }
}
