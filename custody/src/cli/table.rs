//! Tables for eyes.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

/// Columns as wide as their content; the last is not filled up.
pub fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heads.map(|head| head.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let heads = heads.map(str::to_owned);
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing into a string cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Unix seconds as people read them.
pub fn time(seconds: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) {
        Some(time) if seconds < 253_402_300_800 => {
            humantime::format_rfc3339_seconds(time).to_string()
        }
        _ => seconds.to_string(),
    }
}

/// A text that others chose, on one line and without what steers a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_line() {
        let rows = [["a".into(), "b".into()], ["long one".into(), String::new()]];
        assert_eq!(table(["X", "YY"], &rows), "X         YY\na         b\nlong one\n");
        assert_eq!(plain("a\u{1b}[2J\n"), "a\u{fffd}[2J\u{fffd}");
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(u64::MAX), u64::MAX.to_string());
    }
}
