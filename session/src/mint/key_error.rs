//! Why a private key can not be made, read or used.

/// Shows no key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// Not a PKCS#8 private key in PEM of a kind we know.
    Pem,
    /// RSA with fewer than 2048 or more than 4096 bits, or another exponent than 65537.
    WeakRsa,
    /// Making a key or a name failed; the system's source of randomness, most likely.
    Generate,
    /// Signing failed.
    Sign,
}

// === impl KeyError ===

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            KeyError::Pem => {
                "not an unencrypted PKCS#8 PEM private key (BEGIN PRIVATE KEY) of Ed25519, P-256 or RSA"
            }
            KeyError::WeakRsa => "the RSA key must have 2048 to 4096 bits and the exponent 65537",
            KeyError::Generate => "this machine gives no randomness",
            KeyError::Sign => "signing failed",
        })
    }
}

impl std::error::Error for KeyError {}
