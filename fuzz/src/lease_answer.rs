//! A lease that is accepted keeps the contract, and is used only between now and the ceiling.

use lease::{LEASE_CEILING, Lease, LeaseFault, RefusalCode, is_hop_by_hop, is_lease_id};

pub fn check(bytes: &[u8]) {
    for status in [400, 401, 403, 409, 429, 503] {
        if let Some(code) = RefusalCode::decode(status, bytes) {
            assert_eq!(code.status(), status);
            assert_eq!(RefusalCode::decode(status, &code.encode()), Some(code));
        }
    }
    let Ok(lease) = Lease::decode(bytes) else { return };
    check_contract(&lease);
    let encoded = lease.encode().unwrap();
    assert_same(&Lease::decode(&encoded).unwrap(), &lease);
    let expires_at = lease.expires_at;
    for now in [0, expires_at.saturating_sub(LEASE_CEILING + 1), expires_at - expires_at.min(1)] {
        let is_live = now < expires_at && expires_at - now <= LEASE_CEILING;
        let live = Lease::decode(bytes).unwrap().live(now, LEASE_CEILING);
        assert_eq!(live.is_ok(), is_live, "{expires_at} at {now}");
    }
    let live = lease.live(expires_at, LEASE_CEILING);
    assert_eq!(live.err(), Some(LeaseFault::Expired));
}

fn check_contract(lease: &Lease) {
    assert!(is_lease_id(&lease.lease_id) && !lease.headers.is_empty());
    for header in &lease.headers {
        let (name, value) = (header.name.as_str(), header.value().expose());
        assert!(
            !name.starts_with(':') && !name.bytes().any(|byte| byte.is_ascii_whitespace()),
            "{name}"
        );
        assert_eq!(name, name.to_ascii_lowercase());
        assert!(!is_hop_by_hop(name.as_bytes()) && !["host", "content-length"].contains(&name));
        assert!(!name.starts_with("proxy-") && !name.starts_with("x-envoy-"), "{name}");
        assert!(!value.is_empty() && !value.iter().any(|byte| b"\r\n\0".contains(byte)));
    }
}

fn assert_same(a: &Lease, b: &Lease) {
    assert_eq!(a.lease_id, b.lease_id);
    assert_eq!((a.expires_at, a.renew_after), (b.expires_at, b.renew_after));
    assert_eq!((a.binding, a.headers.len()), (b.binding, b.headers.len()));
    for (a, b) in a.headers.iter().zip(&b.headers) {
        assert_eq!(a.name, b.name);
        assert_eq!(a.value().expose(), b.value().expose());
    }
}
