//! The files that custody logs in with. What a file holds may be response-wrapped: then it is a token
//! that OpenBao exchanges for the content, once.
//!
//! Custody keeps what it unwrapped in memory, and uses it for as long as the file stays the same. A custody
//! that is started again needs a new wrapped file.

use super::answer::Unwrapped;
use super::door::{Door, NOTHING, down, judged};
use crate::BackendFault;
use custody_base::files::{FileFault, Stamp, read_private};
use custody_base::outbound::{Method, StatusCode};
use lease::Secret;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

const UNWRAP: &str = "sys/wrapping/unwrap";

/// What was unwrapped, and the state of the file it came from.
#[derive(Default)]
pub(super) struct LoginFiles(Mutex<Option<(Stamp, Secret)>>);

// === impl LoginFiles ===

impl LoginFiles {
    /// What the file holds, unwrapped if it `is_wrapped`.
    ///
    /// # Errors
    /// The file cannot be read, or its wrapping token was used or has expired.
    pub(super) async fn read(
        &self,
        door: &Door,
        path: &Path,
        is_wrapped: bool,
    ) -> Result<Secret, BackendFault> {
        if !is_wrapped {
            return text_of(path);
        }
        // The state first: a file that changes in between is read once too often.
        let stamp = Stamp::of([path]);
        let kept = self.kept().as_ref().filter(|(of, _)| *of == stamp).map(|(_, s)| s.duplicate());
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let secret = unwrap(door, path).await?;
        tracing::info!(file = %path.display(), "unwrapped the file at OpenBao");
        *self.kept() = Some((stamp, secret.duplicate()));
        Ok(secret)
    }

    fn kept(&self) -> MutexGuard<'_, Option<(Stamp, Secret)>> {
        // It is replaced as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn unwrap(door: &Door, path: &Path) -> Result<Secret, BackendFault> {
    let wrapping = text_of(path)?;
    let answer = door.knock(Some(&wrapping), Method::POST, UNWRAP, &[], NOTHING).await?;
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
    let fault = |fault: FileFault| BackendFault::Unreadable(fault.to_string());
    let bytes = read_private(path).map_err(fault)?;
    let text = Secret::new(bytes.trim_ascii());
    let fine = !text.expose().is_empty() && text.expose().iter().all(u8::is_ascii_graphic);
    if fine {
        Ok(text)
    } else {
        Err(BackendFault::Unreadable(format!("{}: is not one word of text", path.display())))
    }
}
