//! The leases this VM holds.
//!
//! Kept until they expire, looked up by their whole scope, renewed ahead of time. A failure is never
//! kept.

use crate::clock::Now;
use crate::digest::{Digest, Digester};
use crate::fifo_map::FifoMap;
use crate::policy::permit::Permit;
use crate::rng::Rng;
use crate::state::sync::RevocationState;
use lease::{Handle, LiveLease};
use session::Session;
use std::rc::Rc;
use std::time::Duration;

/// Live leases by [`LeaseKey`]; in this VM's own memory and nowhere else.
pub struct Leases {
    digester: Digester,
    kept: FifoMap<Kept>,
    /// When a session's credential was last refused, by [`secret_of`].
    refusals: FifoMap<Duration>,
}

struct Kept {
    lease: Rc<LiveLease>,
    session: Session,
    handle: Handle,
    /// When it came, by the steady clock, as are the next two.
    since: Duration,
    /// The edge does not use it from here on, at any time of the wall clock.
    deadline: Duration,
    /// The next request from here on has it renewed.
    renew_at: Duration,
}

/// A lease that may be used now.
pub struct Found {
    pub lease: Rc<LiveLease>,
    pub since: Duration,
    /// It is time to fetch the next one.
    pub due: bool,
}

/// All that a lease was granted for: session (by its very token), handle, destination, method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseKey(Digest);

const CAPACITY: usize = 65_536;

/// No scope is renewed more often than this: not after a renewal that failed, and not because what
/// came is due at once, as all leases of a session near its end are.
const SECOND_TRY: Duration = Duration::from_secs(5);

/// The edge does not drop the next lease for a refused credential sooner, should it be refused as well: a guest could
/// have custody asked as often as it makes a request fail.
const NEXT_REFUSAL: Duration = Duration::from_secs(5);
const REFUSALS: usize = 1024;

// === impl Leases ===

impl Leases {
    pub fn new(digester: Digester) -> Self {
        Self { digester, kept: FifoMap::new(CAPACITY), refusals: FifoMap::new(REFUSALS) }
    }

    /// A lease that is live now; one that is not is dropped, and with it its value wiped.
    pub fn find(&mut self, key: LeaseKey, now: Now) -> Option<Found> {
        let kept = self.kept.get(&key.0)?;
        if kept.is_live(now) {
            let due = kept.renew_at <= now.steady;
            return Some(Found { lease: Rc::clone(&kept.lease), since: kept.since, due });
        }
        self.kept.remove(&key.0);
        None
    }

    pub fn keep(
        &mut self,
        key: LeaseKey,
        lease: &Rc<LiveLease>,
        (session, handle): (Session, Handle),
        now: Now,
        rng: &mut Rng,
    ) {
        let terms = lease.lease();
        let life = now.until(terms.expires_at);
        let fresh = now.until(terms.renew_after.min(terms.expires_at));
        // Leases that came together are not renewed together.
        let jitter = rng.up_to(life.saturating_sub(fresh) / 4);
        let kept = Kept {
            lease: Rc::clone(lease),
            session,
            handle,
            since: now.steady,
            deadline: now.steady.saturating_add(life),
            renew_at: now.steady.saturating_add((fresh + jitter).max(SECOND_TRY)),
        };
        self.kept.insert(key.0, kept);
    }

    /// The renewal of this lease did not come: it serves on until it ends.
    pub fn not_renewed(&mut self, key: LeaseKey, now: Now) {
        if let Some(kept) = self.kept.get_mut(&key.0) {
            kept.renew_at = now.steady.saturating_add(SECOND_TRY);
        }
    }

    /// Drops what has ended, which wipes its value: maybe nobody asks for it any more.
    pub fn drop_ended(&mut self, now: Now) {
        self.kept.retain(|kept| kept.is_live(now));
    }

    /// Drops what custody has revoked.
    pub fn drop_revoked(&mut self, revocations: &RevocationState) {
        self.kept.retain(|kept| {
            revocations.check_session(&kept.session).is_ok()
                && !revocations.is_revoked_handle(kept.handle.as_str())
                && !revocations.is_revoked_lease(&kept.lease.lease().lease_id)
        });
    }

    pub fn drop_one(&mut self, key: LeaseKey) {
        self.kept.remove(&key.0);
    }

    /// The upstream did not take the credential of the lease that came at `since`. The session's other
    /// leases of the same handle go with it: the secret behind them is the same. The id of that lease,
    /// unless it stays.
    pub fn refused(&mut self, key: LeaseKey, since: Duration, now: Now) -> Option<String> {
        let kept = self.kept.get(&key.0).filter(|kept| kept.since == since)?;
        // What one session holds of one handle.
        let names = [kept.handle.as_str().as_bytes(), kept.session.id().as_bytes()];
        let secret = self.digester.digest(&names);
        let last = self.refusals.get(&secret).copied();
        if last.is_some_and(|last| now.steady.saturating_sub(last) < NEXT_REFUSAL) {
            return None;
        }
        self.refusals.insert(secret, now.steady);
        let lease_id = kept.lease.lease().lease_id.clone();
        let (session, handle) = (kept.session.clone(), kept.handle.clone());
        self.kept.retain(|kept| kept.handle != handle || kept.session.id() != session.id());
        Some(lease_id)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.kept.len()
    }
}

// === impl Kept ===

impl Kept {
    fn is_live(&self, now: Now) -> bool {
        now.steady < self.deadline && self.lease.is_live(now.unix())
    }
}

// === impl LeaseKey ===

impl LeaseKey {
    /// `None` where the destination has no credential. `token` is the digest of the Session JWT.
    ///
    /// The method is part of it because custody may grant a handle for some methods only; a lease
    /// granted for a GET must not serve a DELETE. The token and not its `jti`: two tokens of one `jti`
    /// may differ in the claims that custody's grants look at.
    pub fn of(permit: &Permit, token: &Digest, digester: Digester) -> Option<Self> {
        let authority = permit.authority();
        let host = authority.host.text();
        Some(Self(digester.digest(&[
            token,
            permit.credential()?.handle.as_str().as_bytes(),
            host.as_bytes(),
            &authority.port.to_le_bytes(),
            permit.method().as_bytes(),
        ])))
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.0
    }
}
