//! How a command fails.

/// A mistake in how a command was called, as opposed to a command that failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Custody does not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreachable(pub(super) String);

/// `custody grants check` found a refusal, and has printed the reason.
#[derive(Debug, thiserror::Error)]
#[error("not granted")]
pub(super) struct NotGranted;

/// The error and its causes, less those whose text an outer one already has.
pub(super) fn text_of(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}
