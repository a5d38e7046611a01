//! Numbers nobody else has: jitter, and names for operations that have none.

use sha2::{Digest, Sha256};
use std::time::Duration;

/// A seed of the host's, drawn out with SHA-256, so that a decision needs no host call for it and a
/// test can predict the numbers.
pub struct Rng {
    seed: [u8; 32],
    drawn: u64,
}

// === impl Rng ===

impl Rng {
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// From zero to `most`.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        let [a, b, ..] = self.draw();
        most.mul_f64(f64::from(u16::from_le_bytes([a, b])) / f64::from(u16::MAX))
    }

    /// 64 hex digits that no other operation has.
    pub fn name(&mut self) -> String {
        base16ct::lower::encode_string(&self.draw())
    }

    pub fn number(&mut self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.draw();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let hash = Sha256::new_with_prefix(b"leasehold chance v1");
        hash.chain_update(self.seed).chain_update(self.drawn.to_le_bytes()).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_bounds_and_never_twice() {
        let mut rng = Rng::new([7; 32]);
        let most = Duration::from_secs(10);
        let drawn: Vec<_> = (0..200).map(|_| rng.up_to(most)).collect();
        assert!(drawn.iter().all(|wait| *wait <= most));
        assert!(drawn.iter().any(|wait| *wait < most / 4));
        assert!(drawn.iter().any(|wait| *wait > most / 4 * 3));
        let names: std::collections::HashSet<_> = (0..200).map(|_| rng.name()).collect();
        assert_eq!(names.len(), 200);
        assert!(names.iter().all(|name| name.len() == 64));
        assert_ne!(Rng::new([7; 32]).name(), Rng::new([8; 32]).name());
    }
}
