//! How long a lease lives.

use lease::{LEASE_CEILING, UnixSeconds};

/// From when to when. Only [`Life::new`] makes one, so that none is longer than the ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    begins_at: UnixSeconds,
    pub expires_at: UnixSeconds,
}

// === impl Life ===

impl Life {
    /// `ttl` seconds, but no longer than the ceiling and the session.
    pub fn new(now: UnixSeconds, ttl: u64, session_ends: UnixSeconds) -> Self {
        let expires_at = now.saturating_add(ttl.min(LEASE_CEILING)).min(session_ends);
        Self { begins_at: now, expires_at }
    }

    /// Ends with the credential, if that ends sooner. `None` if nothing is left of it at `now`.
    pub fn within(self, ends: Option<UnixSeconds>, now: UnixSeconds) -> Option<Self> {
        let expires_at = ends.map_or(self.expires_at, |ends| ends.min(self.expires_at));
        (now < expires_at).then_some(Self { expires_at, ..self })
    }

    /// When the edge may ask for the next one: after four fifths.
    pub fn renew_after(self) -> UnixSeconds {
        self.begins_at + self.expires_at.saturating_sub(self.begins_at) / 5 * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_life_ends_with_its_grant_its_session_or_its_credential() {
        let ends = |now, ttl, session| {
            let life = Life::new(now, ttl, session);
            (life.expires_at, life.renew_after())
        };
        assert_eq!(ends(1000, 300, 5000), (1300, 1240));
        assert_eq!(ends(1000, 300, 1100), (1100, 1080));
        assert_eq!(ends(1000, 5000, 9000), (1900, 1720));
        assert_eq!(ends(1000, 300, 1001), (1001, 1000));
        let life = Life::new(1000, 300, 5000);
        assert_eq!(life.within(None, 1010), Some(life));
        assert_eq!(life.within(Some(9000), 1010), Some(life));
        assert_eq!(life.within(Some(1200), 1010).map(|life| life.expires_at), Some(1200));
        assert_eq!(life.within(Some(1010), 1010), None);
        assert_eq!(life.within(None, 1300), None);
    }

    proptest! {
        #[test]
        fn no_life_is_longer_than_ceiling_session_or_credential(
            now in 0u64..1 << 40, ttl: u64, left in 1u64..4000,
            credential in proptest::option::of(0u64..4000), passed in 0u64..1000,
        ) {
            let life = Life::new(now, ttl.max(1), now + left);
            prop_assert!(now < life.expires_at && life.expires_at <= now + LEASE_CEILING);
            prop_assert!(life.expires_at <= now + left);
            if let Some(within) = life.within(credential.map(|left| now + left), now + passed) {
                prop_assert!(now + passed < within.expires_at);
                prop_assert!(within.expires_at <= life.expires_at);
                prop_assert!(credential.is_none_or(|left| within.expires_at <= now + left));
                let renew = within.renew_after();
                prop_assert!(now <= renew && renew < within.expires_at);
            }
        }
    }
}
