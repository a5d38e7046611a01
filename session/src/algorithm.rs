//! The three signature algorithms a Session JWT may use, and no other.

/// A JWS signature algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1). `none` and every HMAC
/// are left out on purpose: what this type can not name can not be accepted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032). The default.
    #[serde(rename = "EdDSA", alias = "Ed25519")]
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

// === impl Algorithm ===

impl Algorithm {
    /// Every algorithm, the default first.
    pub const ALL: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

    /// The JOSE name, as in the `alg` member of a header or a JWK.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Es256 => "ES256",
            Algorithm::Rs256 => "RS256",
        }
    }

    /// By its exact JOSE name; names are case-sensitive (RFC 7515 section 4.1.1). `Ed25519` (RFC 9864
    /// section 2.2) is `EdDSA` with the one curve that is accepted here.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        match name {
            "EdDSA" | "Ed25519" => Some(Algorithm::EdDsa),
            "ES256" => Some(Algorithm::Es256),
            "RS256" => Some(Algorithm::Rs256),
            _ => None,
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
