//! What custody tells edges of revocations (`GET /v1/sync`), as cases write it.

use crate::script::{Answer, CalloutRequest};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is told from a step on; the step begins when every worker has heard it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum SyncStep {
    /// No poll is answered any more.
    Silence,
    Update(SyncUpdate),
}

/// An answer as it is on the wire, but for its cursor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncUpdate {
    /// Everything there is, and not only what is new.
    pub full: bool,
    pub kill_switch: bool,
    /// `{kind, id, revoked, until?}`.
    pub changes: Vec<Value>,
}

/// Custody's side of the polls of one simulation.
pub(super) struct SyncScript {
    step: SyncStep,
    cursor: u64,
    /// Polls that wait for what comes after `cursor`.
    waiting_polls: usize,
}

// === impl SyncStep ===

impl TryFrom<Value> for SyncStep {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        if value.as_str() == Some("silence") {
            return Ok(Self::Silence);
        }
        serde_json::from_value(value).map(Self::Update).map_err(|error| error.to_string())
    }
}

// === impl SyncUpdate ===

impl SyncUpdate {
    /// That nothing is revoked.
    pub fn nothing() -> Self {
        Self { full: true, ..Self::default() }
    }

    /// The body of the answer.
    pub fn body(&self, cursor: &str) -> Value {
        let Self { full, kill_switch, changes } = self;
        json!({"cursor": cursor, "full": full, "kill_switch": kill_switch, "changes": changes})
    }
}

// === impl SyncScript ===

impl Default for SyncScript {
    fn default() -> Self {
        Self { step: SyncStep::Update(SyncUpdate::nothing()), cursor: 1, waiting_polls: 0 }
    }
}

impl SyncScript {
    pub fn publish(&mut self, step: SyncStep) {
        self.step = step;
        self.cursor += 1;
        self.waiting_polls = 0;
    }

    /// Have so many workers heard what is to be heard?
    pub fn is_received_by(&self, workers: usize) -> bool {
        self.step == SyncStep::Silence || self.waiting_polls >= workers
    }

    /// What a poll is answered now; `None`: it waits.
    pub fn answer(&mut self, request: &CalloutRequest) -> Option<Answer> {
        let SyncStep::Update(update) = &self.step else { return None };
        let path = request.message.headers.text(":path").unwrap_or_default();
        let cursor = format!("c{}", self.cursor);
        let is_current = path.contains(&format!("cursor={cursor}&"));
        if is_current && !path.ends_with("wait=0") {
            self.waiting_polls += 1;
            return None;
        }
        Some(Answer::json(200, update.body(&cursor).to_string()))
    }
}
