//! A value nobody may see.

use zeroize::Zeroizing;

/// A credential or bearer token.
///
/// It has no `Debug`, `Display`, `Serialize`, `Clone` or `PartialEq`: a value that cannot be printed
/// is not printed by accident, and one that cannot be copied is wiped where it was. The bytes are
/// zeroed on drop.
pub struct Secret(Zeroizing<Vec<u8>>);

// === impl Secret ===

impl Secret {
    /// Takes the bytes over. The caller's vector becomes the secret's own; nothing is copied.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The one way to the bytes. Every call is a place to review.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// A second owner of the same value, by intent and in sight.
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}
