//! The report of `inspect`, as text and as JSON.

use serde_json::{Map, Value, json};
use session::{Refusal, UnixSeconds};

use crate::moment;
use crate::printable::escaped;

/// Claims that are moments (RFC 7519 section 4.1).
const MOMENTS: [&str; 3] = ["exp", "nbf", "iat"];
const WARNING: &str = "UNVERIFIED: no signature was checked, anybody may have written this.\n\
                       Verify it with --jwks FILE --iss ISSUER --aud AUDIENCE.";

pub struct Report {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    pub verdict: Verdict,
}

pub enum Verdict {
    /// The edge would take this token.
    Accepted,
    /// Nobody would.
    Refused(Refusal),
    /// Well-formed; nothing more is known.
    Unverified,
}

// === impl Report ===

impl Report {
    pub fn is_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Refused(_))
    }

    /// For people, without a newline at the end.
    pub fn text(&self, now: UnixSeconds) -> String {
        let mut lines = Vec::new();
        if matches!(self.verdict, Verdict::Unverified) {
            lines.push(WARNING.to_owned());
        }
        for (title, members) in [("header", &self.header), ("claims", &self.claims)] {
            if !members.is_empty() {
                lines.push(title.to_owned());
                lines.extend(members.iter().map(|(name, value)| row(name, value, now)));
            }
        }
        match &self.verdict {
            Verdict::Accepted => lines.push("verdict: accepted".to_owned()),
            Verdict::Refused(refusal) => {
                if !self.claims.is_empty() {
                    lines.push("Nothing above may be trusted.".to_owned());
                }
                lines.push(format!("verdict: refused: {}: {refusal}", refusal.code()));
            }
            Verdict::Unverified => lines.push("verdict: none".to_owned()),
        }
        lines.join("\n")
    }

    /// For programs: `verdict` is `accepted`, `refused` or `unverified`.
    ///
    /// # Errors
    /// Never in practice: everything here came from JSON.
    pub fn json(&self, now: UnixSeconds) -> serde_json::Result<String> {
        let (verdict, refusal) = match &self.verdict {
            Verdict::Accepted => ("accepted", Value::Null),
            Verdict::Refused(refusal) => {
                ("refused", json!({ "code": refusal.code(), "text": refusal.to_string() }))
            }
            Verdict::Unverified => ("unverified", Value::Null),
        };
        let pretty = serde_json::to_string_pretty(&json!({
            "verdict": verdict,
            "refusal": refusal,
            "header": self.header,
            "claims": self.claims,
            "times": self.times(now),
        }))?;
        Ok(pretty.lines().map(escaped).collect::<Vec<_>>().join("\n"))
    }

    fn times(&self, now: UnixSeconds) -> Map<String, Value> {
        let mut times = Map::new();
        for name in MOMENTS {
            if let Some(moment) = self.claims.get(name).and_then(Value::as_u64) {
                let time = json!({
                    "time": moment::rfc3339(moment),
                    "distance": moment::distance(moment, now),
                });
                times.insert(name.to_owned(), time);
            }
        }
        times
    }
}

fn row(name: &str, value: &Value, now: UnixSeconds) -> String {
    let row = format!("  {:<4} {}", escaped(name), escaped(&value.to_string()));
    match value.as_u64().filter(|_| MOMENTS.contains(&name)) {
        None => row,
        Some(moment) => {
            let time = moment::rfc3339(moment).unwrap_or_else(|| "after the year 9999".to_owned());
            format!("{row}  {time} ({})", moment::distance(moment, now))
        }
    }
}
