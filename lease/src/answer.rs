//! A lease: a credential that ends.

use crate::UnixSeconds;
use crate::header::{HeaderFault, LeaseHeader};
use crate::request::{Binding, Malformed};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use zeroize::Zeroizing;

/// The lifetime of a lease in seconds, unless a grant has another.
pub const LEASE_DEFAULT: u64 = 300;
/// The longest a lease may live, in seconds; enforced on both sides of the wire.
pub const LEASE_CEILING: u64 = 900;

/// A lease as it travels. Whether it may be used is decided by [`Lease::live`].
pub struct Lease {
    pub lease_id: String,
    pub expires_at: UnixSeconds,
    /// When the edge may ask for the next one, before this one ends.
    pub renew_after: UnixSeconds,
    pub headers: Vec<LeaseHeader>,
    pub binding: Binding,
}

/// A lease that was live when it was looked at, and can be asked again.
pub struct LiveLease(Lease);

/// Why a lease is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseFault {
    Malformed,
    NoExpiry,
    Expired,
    /// It ends later than the ceiling allows.
    TooLong,
    Header(HeaderFault),
    /// Bound otherwise than asked for.
    Binding,
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    lease_id: Cow<'a, str>,
    // Absent is a fault of its own, so that an operator reads what is wrong.
    #[serde(default)]
    expires_at: Option<UnixSeconds>,
    #[serde(default)]
    renew_after: Option<UnixSeconds>,
    #[serde(borrow)]
    headers: Vec<WireHeader<'a>>,
    binding: Binding,
}

#[derive(Serialize, Deserialize)]
struct WireHeader<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

pub const LEASE_ID_LENGTH: usize = 128;

// === impl Lease ===

impl Lease {
    /// The JSON body. It holds the credential, so it is wiped when dropped.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        let mut room = 512 + self.lease_id.len();
        let mut headers = Vec::with_capacity(self.headers.len());
        for header in &self.headers {
            let value = header.value().expose();
            room += 64 + header.name.as_str().len() + 6 * value.len();
            headers.push(WireHeader {
                name: header.name.as_str().into(),
                value: std::str::from_utf8(value).map_err(|_| Malformed)?.into(),
            });
        }
        let wire = Wire {
            lease_id: Cow::Borrowed(&self.lease_id),
            expires_at: Some(self.expires_at),
            renew_after: Some(self.renew_after),
            headers,
            binding: self.binding,
        };
        // `room` is enough that the vector never moves and leaves a copy behind.
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        serde_json::to_writer(&mut *body, &wire).map_err(|_| Malformed)?;
        Ok(body)
    }

    pub fn decode(body: &[u8]) -> Result<Self, LeaseFault> {
        let wire: Wire<'_> = serde_json::from_slice(body).map_err(|_| LeaseFault::Malformed)?;
        let expires_at = wire.expires_at.ok_or(LeaseFault::NoExpiry)?;
        if wire.headers.is_empty() || !is_lease_id(&wire.lease_id) {
            return Err(LeaseFault::Malformed);
        }
        let headers = wire.headers.into_iter().map(|header| {
            LeaseHeader::new(&header.name, Secret::new(header.value.into_owned()))
                .map_err(LeaseFault::Header)
        });
        Ok(Self {
            lease_id: wire.lease_id.into_owned(),
            expires_at,
            renew_after: wire.renew_after.unwrap_or(expires_at),
            headers: headers.collect::<Result<_, _>>()?,
            binding: wire.binding,
        })
    }

    /// The lease, if it may be used now: `now < expires_at <= now + ceiling` (seconds).
    ///
    /// # Errors
    /// [`LeaseFault::Expired`] or [`LeaseFault::TooLong`].
    pub fn live(self, now: UnixSeconds, ceiling: u64) -> Result<LiveLease, LeaseFault> {
        if now >= self.expires_at {
            return Err(LeaseFault::Expired);
        }
        if self.expires_at - now > ceiling {
            return Err(LeaseFault::TooLong);
        }
        Ok(LiveLease(self))
    }
}

/// Ids go into logs and paths: 1 to 128 of `A-Z a-z 0-9 . _ -`.
pub fn is_lease_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !id.is_empty() && id.len() <= LEASE_ID_LENGTH && id.bytes().all(plain)
}

// === impl LiveLease ===

impl LiveLease {
    /// Expiry is `now >= expires_at` (invariant 6).
    pub fn is_live(&self, now: UnixSeconds) -> bool {
        now < self.0.expires_at
    }

    pub fn lease(&self) -> &Lease {
        &self.0
    }
}

// === impl LeaseFault ===

impl fmt::Display for LeaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the lease does not follow the custody contract"),
            Self::NoExpiry => f.write_str("the lease has no expires_at"),
            Self::Expired => f.write_str("the lease has expired"),
            Self::TooLong => f.write_str("the lease lives longer than the ceiling"),
            Self::Header(fault) => write!(f, "a header of the lease: {fault}"),
            Self::Binding => f.write_str("the lease is bound otherwise than asked for"),
        }
    }
}

impl std::error::Error for LeaseFault {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixSeconds = 1_800_000_000;

    fn lease(expires_at: UnixSeconds) -> Lease {
        Lease {
            lease_id: "lse_1".into(),
            expires_at,
            renew_after: expires_at,
            headers: vec![LeaseHeader::new("authorization", Secret::new("Bearer \"x\"")).unwrap()],
            binding: Binding::Session,
        }
    }

    fn decoded(body: &str) -> Result<u64, LeaseFault> {
        Lease::decode(body.as_bytes()).map(|lease| lease.expires_at)
    }

    #[test]
    fn there_and_back() {
        let back = Lease::decode(&lease(NOW).encode().unwrap()).unwrap();
        assert_eq!((back.lease_id.as_str(), back.expires_at), ("lse_1", NOW));
        assert_eq!(back.headers[0].name.as_str(), "authorization");
        assert_eq!(back.headers[0].value().expose(), b"Bearer \"x\"");
    }

    #[test]
    fn every_fault_has_its_name() {
        let good = r#"{"lease_id":"l","expires_at":7,"renew_after":6,"headers":[{"name":"authorization","value":"v"}],"binding":"session"}"#;
        assert_eq!(decoded(good), Ok(7));
        for (from, to, fault) in [
            (r#""expires_at":7,"#, "", LeaseFault::NoExpiry),
            (r#""expires_at":7"#, r#""expires_at":null"#, LeaseFault::NoExpiry),
            (r#""expires_at":7"#, r#""expires_at":"7""#, LeaseFault::Malformed),
            (r#""expires_at":7"#, r#""expires_at":-7"#, LeaseFault::Malformed),
            (r#""expires_at":7"#, r#""expires_at":7.5"#, LeaseFault::Malformed),
            (r#"[{"name":"authorization","value":"v"}]"#, "[]", LeaseFault::Malformed),
            (r#""lease_id":"l""#, r#""lease_id":"a\nb""#, LeaseFault::Malformed),
            (r#""value":"v""#, r#""value":"a\nb""#, LeaseFault::Header(HeaderFault::Value)),
            (r#""value":"v""#, r#""value":"a\u0000b""#, LeaseFault::Header(HeaderFault::Value)),
            ("authorization", "host", LeaseFault::Header(HeaderFault::Reserved)),
            ("authorization", ":path", LeaseFault::Header(HeaderFault::Name)),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert_eq!(decoded(&bad), Err(fault), "{bad}");
        }
    }

    #[test]
    fn the_ceiling_is_a_wall() {
        let live = |expires_at| lease(expires_at).live(NOW, LEASE_CEILING).map(|_| ());
        assert_eq!(live(NOW), Err(LeaseFault::Expired));
        assert_eq!(live(0), Err(LeaseFault::Expired));
        assert_eq!(live(NOW + 1), Ok(()));
        assert_eq!(live(NOW + 900), Ok(()));
        assert_eq!(live(NOW + 901), Err(LeaseFault::TooLong));
        assert_eq!(live(u64::MAX), Err(LeaseFault::TooLong));
        let live = lease(NOW + 10).live(NOW, LEASE_CEILING).unwrap_or_else(|e| panic!("{e}"));
        assert!(live.is_live(NOW + 9) && !live.is_live(NOW + 10));
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(Lease::decode(&bytes).err(), Some(LeaseFault::Malformed));
        }
    }
}
