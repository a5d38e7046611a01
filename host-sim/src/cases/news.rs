//! What custody tells edges of revocations (`GET /v1/sync`), as cases write it.

use crate::script::{Answer, CalloutRequest};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is told from a step on; the step begins when every worker has heard it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum News {
    /// No poll is answered any more.
    Silence,
    Told(Told),
}

/// An answer as it is on the wire, but for its cursor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Told {
    /// Everything there is, and not only what is new.
    pub full: bool,
    pub kill_switch: bool,
    /// `{kind, id, revoked, until?}`.
    pub changes: Vec<Value>,
}

/// Custody's side of the polls of one simulation.
pub(super) struct Feed {
    news: News,
    cursor: u64,
    /// Polls that wait for what comes after `cursor`.
    listening: usize,
}

// === impl News ===

impl TryFrom<Value> for News {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        if value.as_str() == Some("silence") {
            return Ok(Self::Silence);
        }
        serde_json::from_value(value).map(Self::Told).map_err(|error| error.to_string())
    }
}

// === impl Told ===

impl Told {
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

// === impl Feed ===

impl Default for Feed {
    fn default() -> Self {
        Self { news: News::Told(Told::nothing()), cursor: 1, listening: 0 }
    }
}

impl Feed {
    pub fn tell(&mut self, news: News) {
        self.news = news;
        self.cursor += 1;
        self.listening = 0;
    }

    /// Have so many workers heard what is to be heard?
    pub fn is_heard_by(&self, workers: usize) -> bool {
        self.news == News::Silence || self.listening >= workers
    }

    /// What a poll is answered now; `None`: it waits.
    pub fn answer(&mut self, request: &CalloutRequest) -> Option<Answer> {
        let News::Told(told) = &self.news else { return None };
        let path = request.message.headers.text(":path").unwrap_or_default();
        let cursor = format!("c{}", self.cursor);
        let knows = path.contains(&format!("cursor={cursor}&"));
        if knows && !path.ends_with("wait=0") {
            self.listening += 1;
            return None;
        }
        Some(Answer::json(200, told.body(&cursor).to_string()))
    }
}
