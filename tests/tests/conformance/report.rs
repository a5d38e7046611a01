//! What is left for the table.

use std::fs;

use serde_json::{Value, json};
use stack::built::Built;

/// The rows of one file.
pub struct Report {
    /// The head of the table.
    pub file: String,
    pub rows: Vec<Row>,
}

/// One case.
pub struct Row {
    pub case: String,
    pub host_sim: String,
    /// `None`: not played there.
    pub envoy: Option<String>,
    pub outcome: Outcome,
}

pub enum Outcome {
    /// Both as expected, and the same.
    Same,
    /// As expected where it can be played, and why it can be played there only.
    HostSimOnly(String),
    /// What is wrong.
    Failed(Vec<String>),
}

// === impl Outcome ===

impl Outcome {
    pub fn of(complaints: Vec<String>, host_sim_only: Option<String>) -> Self {
        match (complaints.is_empty(), host_sim_only) {
            (false, _) => Self::Failed(complaints),
            (true, Some(why)) => Self::HostSimOnly(why),
            (true, None) => Self::Same,
        }
    }
}

// === impl Report ===

impl Report {
    /// Writes `target/conformance/NAME.json`.
    pub fn leave(&self, built: &Built, name: &str) {
        let folder = built.target().join("conformance");
        fs::create_dir_all(&folder).unwrap();
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let report = json!({"file": self.file, "rows": rows});
        fs::write(folder.join(format!("{name}.json")), format!("{report:#}")).unwrap();
    }

    /// Every failed case with what is wrong.
    pub fn complaints(&self) -> Vec<String> {
        let failed = self.rows.iter().filter_map(|row| match &row.outcome {
            Outcome::Failed(complaints) => {
                Some(format!("{}\n    {}", row.case, complaints.join("\n    ")))
            }
            Outcome::Same | Outcome::HostSimOnly(_) => None,
        });
        failed.collect()
    }
}

// === impl Row ===

impl Row {
    fn json(&self) -> Value {
        let (outcome, notes) = match &self.outcome {
            Outcome::Same => ("same", Vec::new()),
            Outcome::HostSimOnly(why) => ("host-sim only", vec![why.clone()]),
            Outcome::Failed(complaints) => ("failed", complaints.clone()),
        };
        json!({
            "case": self.case,
            "host_sim": self.host_sim,
            "envoy": self.envoy,
            "outcome": outcome,
            "notes": notes,
        })
    }
}
