//! Rows to begin with.

use custody_base::actor::Actor;
use custody_base::credential::SecretOrigin;
use custody_ledger::{
    AccessState, Claimant, KeyRow, LeaseRow, Ledger, LedgerFault, NewLease, Notice, Recorded,
    Reservation, Revocation, Row, Target,
};
use lease::{Binding, Handle};

pub const NOW: u64 = 1_800_000_000;

pub fn handle(text: &str) -> Handle {
    text.parse().unwrap()
}

pub fn actor(text: &str) -> Actor {
    text.parse().unwrap()
}

pub fn key(id: &str) -> KeyRow {
    KeyRow { id: id.into(), salt: vec![7; 32], check: vec![9; 32], created_at: NOW }
}

pub fn row(of: &str, under: &str, version: u64, key: &str) -> Row {
    Row {
        actor: actor(of),
        handle: handle(under),
        version,
        origin: version,
        key: key.into(),
        shape: r#"{"type":"bearer"}"#.into(),
        envelope: vec![0, 1, 255, 0],
        stored_at: NOW,
    }
}

pub fn origin_of(row: &Row) -> SecretOrigin {
    let Row { actor, handle, origin, .. } = row.clone();
    SecretOrigin { actor, handle, origin }
}

/// A lease of the session `session`, of ten minutes.
pub fn lease(id: &str, session: &str, issued_at: u64) -> LeaseRow {
    LeaseRow {
        lease_id: id.into(),
        session: session.into(),
        subject: "ci-job-7".into(),
        actor: actor("default"),
        handle: handle("github-ci"),
        destination: "api.github.com:443".into(),
        binding: Binding::Session,
        issued_at,
        expires_at: issued_at + 600,
        backend: "bao".into(),
        revocation: None,
        outcome: None,
    }
}

/// Releases a reservation with a lease of its own; `false` if this holder does not hold it.
pub async fn release(
    ledger: &dyn Ledger,
    key: &[u8; 32],
    holder: &str,
) -> Result<bool, LedgerFault> {
    let row = lease(&format!("of-{key:?}"), "of-reservations", NOW);
    let released = NewLease { hold: Some((key, holder)), ..NewLease::of(&row) };
    match ledger.record(&released).await? {
        Recorded::Written => Ok(true),
        Recorded::Lost => Ok(false),
        other => panic!("{other:?}"),
    }
}

/// A reservation of three attempts, held for ten seconds.
pub fn reservation(key: u8, holder: &str, now: u64) -> Reservation {
    Reservation {
        key: [key; 32],
        lease_id: format!("lease-{key}-{holder}"),
        session: "s".into(),
        handle: handle("github-ci"),
        destination: "api.github.com:443".into(),
        purpose: "deploy".into(),
        budget: 3,
        holder: holder.into(),
        now,
        held_until: now + 10,
        keep_until: now + 3600,
    }
}

pub fn revocation(target: Target, until: Option<u64>) -> Revocation {
    Revocation { target, at: NOW, until, by: "operator".into() }
}

pub fn session(id: &str) -> Target {
    Target::Session(id.into())
}

pub fn notice(id: &str, next_try: u64) -> Notice {
    Notice {
        id: id.into(),
        at: NOW,
        backend: "bao".into(),
        actor: "default".into(),
        handle: "github-ci".into(),
        code: "backend_down".into(),
        tries: 0,
        next_try,
    }
}

pub async fn access_state(ledger: &dyn Ledger, of: &str, under: &str, whose: &str) -> AccessState {
    let (handle, actor) = (handle(under), actor(whose));
    let claimant = Claimant { session: of, handle: &handle, actor: &actor };
    ledger.access_state(claimant).await.unwrap()
}
