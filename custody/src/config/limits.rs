//! `limits`: how much is done for one caller, and at once.

use super::fault::Faults;
use crate::limits::{Limits, Rate};
use serde::Deserialize;
use serde_yaml_ng::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    per_session: Option<String>,
    per_handle: Option<String>,
    concurrent: Option<usize>,
    pollers: Option<usize>,
}

/// The word for no limit.
const OFF: &str = "off";
/// What a machine could hold at once.
const AT_ONCE: std::ops::RangeInclusive<usize> = 1..=65_536;

/// Without the section, and for what it does not name, [`Limits::default`] counts.
pub(super) fn read(section: Option<Value>, faults: &mut Faults) -> Option<Limits> {
    let default = Limits::default();
    if section.as_ref().is_none_or(Value::is_null) {
        return Some(default);
    }
    let raw: RawLimits = faults.section("limits", section)?;
    Some(Limits {
        per_session: read_rate("per_session", raw.per_session, default.per_session, faults),
        per_handle: read_rate("per_handle", raw.per_handle, default.per_handle, faults),
        concurrent: read_count("concurrent", raw.concurrent, default.concurrent, faults),
        pollers: read_count("pollers", raw.pollers, default.pollers, faults),
    })
}

fn read_rate(
    field: &str,
    text: Option<String>,
    default: Option<Rate>,
    faults: &mut Faults,
) -> Option<Rate> {
    match text.as_deref() {
        None => default,
        Some(OFF) => None,
        Some(text) => {
            text.parse().map_err(|error| faults.add(format!("limits.{field}"), error)).ok()
        }
    }
}

fn read_count(field: &str, count: Option<usize>, default: usize, faults: &mut Faults) -> usize {
    let count = count.unwrap_or(default);
    if !AT_ONCE.contains(&count) {
        let (least, most) = (AT_ONCE.start(), AT_ONCE.end());
        faults.add(format!("limits.{field}"), format!("must be {least} to {most}"));
    }
    count
}
