//! The files that custody logs in with. The content of a file may be response-wrapped: the file then has a
//! token that OpenBao exchanges for the content, once.
//!
//! Custody keeps the unwrapped content in memory. It uses that content while the file has the same text, or
//! is absent. A custody that starts again needs a new wrapped file.

use super::answer::Unwrapped;
use super::api::{Api, NOTHING, down, judged};
use crate::BackendFault;
use custody_base::files::{FileFault, read_private};
use custody_base::outbound::{Method, StatusCode};
use custody_base::under_way;
use lease::Secret;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;

const UNWRAP: &str = "sys/wrapping/unwrap";

/// The unwrapped content. The lock is held over a call, so that custody sends no wrapping token twice.
#[derive(Clone, Default)]
pub(super) struct LoginFiles(Arc<Mutex<Option<Unwrapping>>>);

/// A wrapping token, and what OpenBao gave for it.
struct Unwrapping {
    token: Secret,
    content: Secret,
}

// === impl LoginFiles ===

impl LoginFiles {
    /// The content of the file, unwrapped if it `is_wrapped`.
    ///
    /// # Errors
    /// The file cannot be read, or its wrapping token was used or has expired.
    pub(super) async fn read(
        &self,
        api: &Arc<Api>,
        path: &Path,
        is_wrapped: bool,
    ) -> Result<Secret, BackendFault> {
        if !is_wrapped {
            return text_of(path);
        }
        let (files, api, path) = (self.clone(), Arc::clone(api), path.to_owned());
        // OpenBao gives the content once, so custody keeps it even if the caller has given up by then.
        let unwrapping = under_way::spawn(async move { files.unwrapped(&api, &path).await });
        unwrapping
            .await
            .unwrap_or_else(|_| Err(BackendFault::Down("the unwrapping panicked".into())))
    }

    async fn unwrapped(&self, api: &Api, path: &Path) -> Result<Secret, BackendFault> {
        let mut last = self.0.lock().await;
        let token = match (read_private(path), &*last) {
            (Err(fault), Some(last)) if is_absent(&fault) => return Ok(last.content.duplicate()),
            (read, _) => word(path, &read.map_err(unreadable)?)?,
        };
        if let Some(last) = &*last
            && last.token.expose() == token.expose()
        {
            return Ok(last.content.duplicate());
        }
        let content = unwrap(api, path, &token).await?;
        tracing::info!(file = %path.display(), "unwrapped the file at OpenBao");
        *last = Some(Unwrapping { token, content: content.duplicate() });
        Ok(content)
    }
}

fn is_absent(fault: &FileFault) -> bool {
    matches!(fault, FileFault::Io { source, .. } if source.kind() == ErrorKind::NotFound)
}

async fn unwrap(api: &Api, path: &Path, wrapping: &Secret) -> Result<Secret, BackendFault> {
    let answer = api.send(Some(wrapping), Method::POST, UNWRAP, &[], NOTHING).await?;
    if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) {
        return Err(BackendFault::Denied(format!(
            "{UNWRAP}: the wrapping token in {} was used or has expired ({}). If custody did not \
             use it, somebody else has its content; fix: write a new wrapped file",
            path.display(),
            answer.status.as_u16()
        )));
    }
    let unwrapped: Unwrapped =
        judged(answer, UNWRAP)?.json().map_err(|fault| down(UNWRAP, &fault))?;
    unwrapped.secret().ok_or_else(|| {
        let what = "holds neither a secret_id nor a token, wrapped";
        BackendFault::Unreadable(format!("{}: {what}", path.display()))
    })
}

pub(super) fn text_of(path: &Path) -> Result<Secret, BackendFault> {
    let bytes = read_private(path).map_err(unreadable)?;
    word(path, &bytes)
}

fn word(path: &Path, bytes: &[u8]) -> Result<Secret, BackendFault> {
    let text = Secret::new(bytes.trim_ascii());
    let fine = !text.expose().is_empty() && text.expose().iter().all(u8::is_ascii_graphic);
    if fine {
        Ok(text)
    } else {
        Err(BackendFault::Unreadable(format!("{}: is not one word of text", path.display())))
    }
}

fn unreadable(fault: FileFault) -> BackendFault {
    BackendFault::Unreadable(fault.to_string())
}

#[cfg(test)]
mod tests;
