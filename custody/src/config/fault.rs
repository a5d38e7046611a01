//! What is wrong with a configuration, and where.

use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `grants[1].destinations[0]`; empty if it is the whole file.
    pub path: String,
    pub message: String,
}

/// Everything that is wrong with a file; one line each.
#[derive(Debug)]
pub struct ConfigFaults {
    pub file: PathBuf,
    pub faults: Vec<Fault>,
}

/// Faults being collected.
#[derive(Debug, Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

// === impl Faults ===

impl Faults {
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl ToString) {
        self.0.push(Fault::new(path, message));
    }

    /// Reads one section, which must be there, into its type.
    pub(super) fn section<T: DeserializeOwned>(
        &mut self,
        path: &str,
        value: Option<Value>,
    ) -> Option<T> {
        let Some(value) = value else {
            self.add(path, "is missing");
            return None;
        };
        match serde_path_to_error::deserialize(value) {
            Ok(read) => Some(read),
            Err(error) => {
                let inner = error.path().to_string();
                let full = match inner.as_str() {
                    "." => path.to_owned(),
                    inner if inner.starts_with('[') => format!("{path}{inner}"),
                    inner => format!("{path}.{inner}"),
                };
                self.add(full, error.inner());
                None
            }
        }
    }

    /// Reads a duration as people write it ("30s", "5m"), in whole seconds within bounds.
    pub(super) fn seconds(
        &mut self,
        path: &str,
        text: &str,
        bounds: RangeInclusive<u64>,
    ) -> Option<u64> {
        let duration = humantime::parse_duration(text).ok();
        let seconds = duration
            .map(|duration| duration.as_secs())
            .filter(|seconds| duration == Some(Duration::from_secs(*seconds)));
        if seconds.is_none() {
            self.add(path, "is a duration in whole seconds, as in 30s or 5m");
        }
        seconds.filter(|seconds| {
            let within = bounds.contains(seconds);
            if !within {
                self.add(path, format!("must be {}s to {}s", bounds.start(), bounds.end()));
            }
            within
        })
    }
}

// === impl Fault ===

impl Fault {
    pub(super) fn new(path: impl Into<String>, message: impl ToString) -> Self {
        Self { path: path.into(), message: message.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

// === impl ConfigFaults ===

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            let line_end = if at == 0 { "" } else { "\n" };
            write!(f, "{line_end}{}: {fault}", self.file.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}
