//! Failures that are alike make one notice a minute.

use custody_base::names::digest_of;
use custody_ledger::Notice;
use lease::UnixSeconds;
use std::collections::HashMap;

/// Seconds.
pub(super) const WINDOW: u64 = 60;

/// A failure: source, owner, handle and code. Names out of the configuration, and a code of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BackendFailure {
    pub backend: String,
    pub actor: String,
    pub handle: String,
    /// [`custody_backends::BackendFault::code`].
    pub code: &'static str,
}

/// The time of the last notice of each failure. As many entries as the configuration has backends and
/// handles, times the codes, and no more: guests cannot make others.
#[derive(Default)]
pub(super) struct RecentFailures(HashMap<BackendFailure, UnixSeconds>);

// === impl RecentFailures ===

impl RecentFailures {
    /// The notice of this failure, unless one like it is less than a minute old.
    pub(super) fn notice_of(
        &mut self,
        failure: &BackendFailure,
        now: UnixSeconds,
    ) -> Option<Notice> {
        // Also those of the future: a clock that was set back must not silence anybody.
        self.0.retain(|_, at| *at <= now && now - *at < WINDOW);
        if self.0.contains_key(failure) {
            return None;
        }
        self.0.insert(failure.clone(), now);
        let BackendFailure { backend, actor, handle, code } = failure.clone();
        Some(Notice {
            id: id(failure, now),
            at: now,
            backend,
            actor,
            handle,
            code: code.to_owned(),
            tries: 0,
            next_try: now,
        })
    }
}

/// The same on every replica within the same minute of the clock, so that the ledger keeps one notice of a
/// failure that several see, and a receiver can drop a repetition.
fn id(failure: &BackendFailure, now: UnixSeconds) -> String {
    let BackendFailure { backend, actor, handle, code } = failure;
    let minute = (now / WINDOW).to_string();
    let digest = digest_of([backend, actor, handle, *code, &minute]);
    let (half, _) = digest.split_at(digest.len() / 2);
    format!("msg_{}", base16ct::lower::encode_string(half))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(handle: &str) -> BackendFailure {
        BackendFailure {
            backend: "bao".into(),
            actor: "default".into(),
            handle: handle.into(),
            code: "backend_down",
        }
    }

    #[test]
    fn alike_failures_are_told_once_a_minute() {
        let mut recent = RecentFailures::default();
        // Across the edge of a minute of the clock, too.
        let first = recent.notice_of(&failure("h"), 6_059).unwrap();
        assert!(recent.notice_of(&failure("h"), 6_061).is_none());
        assert!(recent.notice_of(&failure("h"), 6_118).is_none());
        assert!(
            recent.notice_of(&failure("g"), 6_061).is_some(),
            "another handle is another failure"
        );
        let later = recent.notice_of(&failure("h"), 6_119).unwrap();
        assert_ne!(first.id, later.id);
        assert_eq!((first.at, later.at), (6_059, 6_119));
        assert!(recent.notice_of(&failure("h"), 100).is_some(), "the clock was set back");
    }

    #[test]
    fn replicas_agree_on_the_id() {
        let of = |failure: &BackendFailure, now| {
            RecentFailures::default().notice_of(failure, now).unwrap().id
        };
        assert_eq!(of(&failure("h"), 6_000), of(&failure("h"), 6_059));
        assert_ne!(of(&failure("h"), 6_000), of(&failure("h"), 6_060));
        assert_ne!(of(&failure("h"), 6_000), of(&failure("g"), 6_000));
        let mut moved = failure("h");
        (moved.backend, moved.actor) = ("baod".into(), "efault".into());
        assert_ne!(of(&failure("h"), 6_000), of(&moved, 6_000));
    }
}
