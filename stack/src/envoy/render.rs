//! Puts [`EdgeSettings`] into the shipped configuration, structurally: the file is parsed, the
//! few values that differ are replaced where they stand, and a place that is missing is an
//! error, so file and code cannot drift apart silently.

use super::{EdgeSettings, EnvoyError};

/// See [`EdgeSettings::render`].
pub(super) fn render(settings: &EdgeSettings) -> Result<String, EnvoyError> {
    let _ = settings;
    Err(EnvoyError::Template { file: "explicit.yaml", place: "being written".to_owned() })
}
