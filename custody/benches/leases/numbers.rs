//! Medians and percentiles.

use std::time::Duration;

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
