//! The section of BENCHMARKS.md: goals, then tables.

use std::fmt::Write as _;

use stack::benchmarks;

use super::goals::goals;
use super::group::Part;
use super::measured::{Measured, Table};
use super::variant::Variant;

/// All of it, as Markdown.
pub fn markdown(table: &Table, rounds: usize, seconds: usize) -> String {
    let machine = benchmarks::machine();
    let mut text = format!(
        "{machine}, Envoy {}, one worker; {rounds} rounds of {seconds} s a row, in turn. CPU: user and \
         system time of the Envoy process over the requests it served, in microseconds; the median \
         of the rounds, and the least and the most. Latency as wrk sees it, on the same cores.\n",
        table.envoy,
    );
    let goals = goals(table);
    if !goals.is_empty() {
        text += "\n| goal | at most | measured | |\n| --- | --- | --- | --- |\n";
    }
    for goal in goals {
        let met = if goal.is_met() { "met" } else { "**not met**" };
        let (at_most, measured) = (goal.shown(goal.at_most), goal.shown(goal.measured));
        let _ = writeln!(text, "| {} | {at_most} | {measured} | {met} |", goal.name);
    }
    for (part, rows) in &table.parts {
        let _ = writeln!(text, "\n### {}\n", part.title());
        text += "| | CPU | least to most | added | p50 | p99 | requests/s |\n";
        text += "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
        for row in rows {
            text += &line(table, *part, row);
        }
    }
    text + &memory(table)
}

fn line(table: &Table, part: Part, row: &Measured) -> String {
    let (least, most) = row.spread();
    let baseline = baseline(part, &row.name).filter(|baseline| *baseline != row.name);
    let added = baseline.and_then(|baseline| table.added(part, &row.name, &baseline));
    let added = added.map_or(String::new(), |added| format!("{added:+.1}"));
    format!(
        "| {} | {:.1} | {least:.1} to {most:.1} | {added} | {:.0} | {:.0} | {:.0} |\n",
        row.name,
        row.median(|turn| turn.cpu),
        row.median(|turn| turn.p50),
        row.median(|turn| turn.p99),
        row.median(|turn| turn.per_second),
    )
}

/// The row that another one adds to: the same load on an Envoy without a filter.
fn baseline(part: Part, name: &str) -> Option<String> {
    let plain = Variant::NoFilter.name();
    match part {
        Part::Clear | Part::Tunnel => Some(plain.to_owned()),
        Part::Cold => name.split_once(": ").map(|(algorithm, _)| format!("{algorithm}: {plain}")),
        Part::Forged => Some(Variant::Refusal.name().to_owned()),
        Part::Connections => name.split_once(", ").map(|(_, many)| format!("{plain}, {many}")),
        Part::Destinations | Part::Sessions => None,
    }
}

fn memory(table: &Table) -> String {
    let mut text = String::new();
    if let Some(worker) = table.worker {
        let _ = write!(
            text,
            "\nA worker takes {:.1} MiB more memory with the filter than without",
            mib(worker)
        );
    }
    if let Some(session) = table.session_memory() {
        let _ = write!(text, "; a live session with a lease takes {:.1} KiB", session / 1024.0);
    }
    if text.is_empty() { text } else { text + ".\n" }
}

fn mib(bytes: f64) -> f64 {
    bytes / 1024.0 / 1024.0
}
