//! The meaning of a 403 of OpenBao: a policy denies the path, or the token is dead. OpenBao answers
//! both alike.
//!
//! A token with the policy `default` may look itself up, and that settles it. For any other token
//! the proof is a new login: if the new token is refused at the same path, the policy denies the
//! path. [`Denials`] remembers this, so that a denied path costs a login a minute at first, and one
//! an hour after some tries. OpenBao keeps every token of a login until its end.

use custody_base::outbound::Method;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a denial holds at first, and at most; each further denial doubles it.
const HOLDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// The paths that OpenBao denied to a new token. All of them are the configuration's.
#[derive(Default)]
pub(super) struct Denials(Mutex<HashMap<String, Denial>>);

struct Denial {
    until: Instant,
    holds: Duration,
}

/// The line of a policy that allows this call.
pub(super) fn policy_line(method: &Method, path: &str) -> String {
    let capability = if *method == Method::GET { "read" } else { "update" };
    format!("path \"{path}\" {{ capabilities = [\"{capability}\"] }}")
}

// === impl Denials ===

impl Denials {
    /// Is this path recorded as denied, so that a 403 is not a verdict on the token?
    pub fn has(&self, path: &str) -> bool {
        self.all().get(path).is_some_and(|denial| Instant::now() < denial.until)
    }

    /// Records that OpenBao denied the path to a new token. Returns how long that holds, or `None`
    /// if it was recorded already.
    pub fn add(&self, path: &str) -> Option<Duration> {
        let mut all = self.all();
        let now = Instant::now();
        let holds = match all.get(path) {
            Some(denial) if now < denial.until => return None,
            Some(denial) => (denial.holds * 2).min(HOLDS.1),
            None => HOLDS.0,
        };
        all.insert(path.to_owned(), Denial { until: now + holds, holds });
        Some(holds)
    }

    /// OpenBao allows the path.
    pub fn remove(&self, path: &str) {
        self.all().remove(path);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Denial>> {
        // One insert or remove is all that happens under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_further_denial_of_a_path_holds_twice_as_long_up_to_an_hour() {
        let denials = Denials::default();
        let mut held = Vec::new();
        for _ in 0..8 {
            assert!(!denials.has("a"));
            let holds = denials.add("a").unwrap_or_default();
            assert_eq!(denials.add("a"), None, "many requests at once are one denial");
            assert!(denials.has("a") && !denials.has("b"));
            held.push(holds.as_secs());
            tokio::time::advance(holds).await;
        }
        assert_eq!(held, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        denials.remove("a");
        assert_eq!(denials.add("a"), Some(HOLDS.0));
    }
}
