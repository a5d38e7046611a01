//! Secrets for one run.

use anyhow::{Result, anyhow};
use rustls::crypto::ring;

/// `bytes` random bytes as lower-case hexadecimal.
///
/// # Errors
/// The system's source of randomness fails.
pub fn hex(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| anyhow!("the system's source of randomness failed"))?;
    Ok(base16ct::lower::encode_string(&random))
}
