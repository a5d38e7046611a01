//! What custody answers, as cases write it.

use super::template::Template;
use crate::script::Answer;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Answers in turn; after the last of them custody is silent. `absent`: Envoy has no such cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub enum CustodyScript {
    Absent,
    Answers(Vec<CustodyAnswer>),
}

/// One answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CustodyAnswer {
    /// A lease with these headers, for 300 s; `fields` are laid over it, null takes one out.
    Lease {
        headers: Map<String, Value>,
        #[serde(default)]
        fields: Map<String, Value>,
        #[serde(default)]
        after: Option<String>,
    },
    /// A refusal: `{"code": ...}`.
    Refusal { status: u16, code: String },
    /// Any response.
    Response {
        status: u16,
        #[serde(default)]
        json: Option<Value>,
        #[serde(default)]
        body: Option<String>,
        #[serde(default)]
        after: Option<String>,
    },
    /// Nothing comes; the callout times out.
    Silence {},
    /// The connection breaks before an answer.
    ConnectFailure {},
    /// The stream is reset in the middle of an answer.
    Reset {},
    /// No endpoint is healthy.
    NoHealthyUpstream {},
}

// === impl CustodyScript ===

impl Default for CustodyScript {
    fn default() -> Self {
        Self::Answers(Vec::new())
    }
}

impl CustodyScript {
    /// `None` where the cluster is not there.
    ///
    /// # Errors
    /// A placeholder or a duration that is none.
    pub fn answers(&self, template: &Template) -> Result<Option<Vec<Answer>>, String> {
        match self {
            Self::Absent => Ok(None),
            Self::Answers(answers) => {
                let answers = answers.iter().map(|answer| answer.fill(template));
                answers.collect::<Result<_, _>>().map(Some)
            }
        }
    }
}

impl TryFrom<Value> for CustodyScript {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        if value.as_str() == Some("absent") {
            return Ok(Self::Absent);
        }
        let Value::Array(answers) = value else {
            return Err("a list of answers, or the word absent".to_owned());
        };
        let answers = answers.into_iter().enumerate().map(|(n, answer)| {
            serde_json::from_value(answer).map_err(|error| format!("answer {}: {error}", n + 1))
        });
        answers.collect::<Result<_, _>>().map(Self::Answers)
    }
}

// === impl CustodyAnswer ===

impl CustodyAnswer {
    /// The answer as the simulator gives it.
    ///
    /// # Errors
    /// A placeholder or a duration that is none.
    pub fn fill(&self, template: &Template) -> Result<Answer, String> {
        Ok(match self {
            Self::Lease { headers, fields, after } => {
                Answer::json(200, lease(headers, fields, template)?).after(wait(after)?)
            }
            Self::Refusal { status, code } => {
                Answer::json(*status, json!({"code": code}).to_string())
            }
            Self::Response { status, json, body, after } => {
                let body = match (json, body) {
                    (Some(json), _) => template.value(json)?.to_string(),
                    (None, Some(body)) => template.text(body)?,
                    (None, None) => String::new(),
                };
                Answer::json(*status, body).after(wait(after)?)
            }
            Self::Silence {} => Answer::Never,
            Self::ConnectFailure {} => Answer::connect_failure(),
            Self::Reset {} => Answer::reset(),
            Self::NoHealthyUpstream {} => Answer::NoHealthyUpstream,
        })
    }
}

fn lease(
    headers: &Map<String, Value>,
    fields: &Map<String, Value>,
    template: &Template,
) -> Result<String, String> {
    let headers: Vec<Value> =
        headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut lease = json!({
        "lease_id": "lease-1",
        "expires_at": template.now + 300,
        "renew_after": template.now + 240,
        "headers": headers,
        "binding": "session",
    });
    if let Some(own) = lease.as_object_mut() {
        for (name, value) in fields {
            match value {
                Value::Null => own.remove(name),
                value => own.insert(name.clone(), value.clone()),
            };
        }
    }
    Ok(template.value(&lease)?.to_string())
}

fn wait(text: &Option<String>) -> Result<Duration, String> {
    text.as_deref().map_or(Ok(Duration::ZERO), duration)
}

/// `500ms`, `2s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let number = number.parse::<u64>().ok().filter(|_| millis > 0);
    let total = number.and_then(|number| number.checked_mul(millis));
    total
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is not a duration, such as 5m"))
}
