//! The real clock, which nobody can set.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use host_sim::cases::{Case, CaseFile};

/// Milliseconds into a second in which a case that counts seconds may begin: the rest is enough for it.
const EARLY: u32 = 200;

/// Now, in seconds since the epoch. For a case that names seconds it returns early in one of them: a
/// lease that ends this very second, or a session in the last second of its leeway, must still be
/// in that second when Envoy sees it.
pub fn now(file: &CaseFile, case: &Case) -> u64 {
    let counts = format!("{case:?}{:?}{:?}", file.session, file.custody).contains("${now");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    if counts && now.subsec_millis() > EARLY {
        let next = Duration::from_secs(now.as_secs() + 1);
        thread::sleep(next.saturating_sub(now));
        return next.as_secs();
    }
    now.as_secs()
}
