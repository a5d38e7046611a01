//! Everything that is wrong with a configuration, at once.

use std::fmt;

/// The errors of a configuration: each line names a field and the fix.
///
/// Shows as `destinations[2].hosts[0]: "*.com" covers a public suffix`, a line a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    path: String,
    message: String,
}

// === impl ConfigErrors ===

impl ConfigErrors {
    pub fn push(&mut self, path: impl Into<String>, message: impl fmt::Display) {
        self.0.push(ConfigError { path: path.into(), message: message.to_string() });
    }

    /// Keeps the value, or notes the fault under `path`.
    pub fn keep<T, E: fmt::Display>(
        &mut self,
        path: impl Into<String>,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.push(path, error)).ok()
    }

    /// Notes an empty list under `path`.
    pub fn check_not_empty<T>(&mut self, path: &str, list: &[T]) {
        if list.is_empty() {
            self.push(path, "an empty list allows nothing; name at least one");
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return write!(f, "configuration: {}", self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}
