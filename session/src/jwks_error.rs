//! What is wrong with a key set, with the path of the field.

/// One thing wrong with a JWKS. Shows no key material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksError {
    path: String,
    reason: String,
}

// === impl JwksError ===

impl JwksError {
    pub(crate) fn new(path: impl Into<String>, reason: impl Into<String>) -> JwksError {
        JwksError { path: path.into(), reason: reason.into() }
    }

    /// The field, as in `keys[0].alg`; empty if the whole is meant.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong and how to mend it, without the path.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl std::fmt::Display for JwksError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.reason),
            path => write!(f, "{path}: {}", self.reason),
        }
    }
}

impl std::error::Error for JwksError {}
