//! Addresses for the programs of one stack.
//!
//! A program that must be found again after a restart (custody) or that is named in another one's
//! configuration needs its port before it runs. Asking the kernel for a free port and giving it
//! back is a race between stacks, so every stack process takes a loopback address of its own
//! (Linux answers on all of 127.0.0.0/8) and remembers which ports it has handed out there.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Ports handed out by this process, on whichever address.
static HANDED_OUT: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// How often a port that was already handed out may come back before we give up.
const TRIES: usize = 64;

/// The loopback address of this process: 127.64.0.0/10 with the 22 bits of its pid, or 127.0.0.1
/// where the system has only that one (macOS).
pub fn address() -> IpAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = IpAddr::V4(Ipv4Addr::new(127, 64 | (high & 0x3f), middle, low));
    match TcpListener::bind((own, 0)) {
        Ok(_) => own,
        Err(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// A free TCP port on `address` that this process has not handed out before.
///
/// # Errors
/// The address cannot be bound, or the kernel keeps offering ports that are already taken.
pub fn free(address: IpAddr) -> io::Result<SocketAddr> {
    for _ in 0..TRIES {
        let offered = TcpListener::bind((address, 0))?.local_addr()?;
        let mut taken = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.get_or_insert_with(HashSet::new).insert(offered.port()) {
            return Ok(offered);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no free port on {address}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_on_loopback_and_never_handed_out_twice() {
        let address = address();
        assert!(address.is_loopback());
        let ports: HashSet<_> = (0..50).map(|_| free(address).unwrap()).collect();
        assert_eq!(ports.len(), 50);
    }
}
