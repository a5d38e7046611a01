//! Moments: Unix seconds to and from what people read and write.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use session::UnixSeconds;

/// 9999-12-31T23:59:59Z; RFC 3339 has no later moment.
const LATEST: UnixSeconds = 253_402_300_799;

/// # Errors
/// The machine's clock is before 1970.
pub fn now() -> anyhow::Result<UnixSeconds> {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(elapsed.context("the clock of this machine is before 1970")?.as_secs())
}

/// Unix seconds or RFC 3339.
///
/// # Errors
/// Neither of the two.
pub fn parse(text: &str) -> Result<UnixSeconds, String> {
    if let Ok(seconds) = text.parse::<UnixSeconds>() {
        return Ok(seconds);
    }
    humantime::parse_rfc3339_weak(text)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|elapsed| elapsed.as_secs())
        .ok_or_else(|| "wanted Unix seconds, or RFC 3339 as in 2026-01-31T12:00:00Z".to_owned())
}

/// As RFC 3339; `None` beyond the year 9999.
pub fn rfc3339(moment: UnixSeconds) -> Option<String> {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(moment))?;
    (moment <= LATEST).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

/// `in 14m 59s`, `3h ago`, `now`.
pub fn distance(moment: UnixSeconds, now: UnixSeconds) -> String {
    let apart = humantime::format_duration(Duration::from_secs(moment.abs_diff(now))).to_string();
    // The two largest units say enough.
    let apart = apart.split(' ').take(2).collect::<Vec<_>>().join(" ");
    match moment.cmp(&now) {
        std::cmp::Ordering::Less => format!("{apart} ago"),
        std::cmp::Ordering::Equal => "now".to_owned(),
        std::cmp::Ordering::Greater => format!("in {apart}"),
    }
}
