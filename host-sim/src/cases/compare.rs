//! How what came of a step differs from what must come.

use super::act::Act;
use super::expect::{Difference, Expect, ExpectUpstream};
use super::file::Step;
use super::observed::Observed;
use super::template::Template;
use serde_json::Value;

/// Collects differences.
struct Comparison<'a> {
    template: &'a Template,
    differences: Vec<Difference>,
}

// === impl Step ===

impl Step {
    /// How what came of its requests differs from what it says must come, with the number of the
    /// request where there are several.
    ///
    /// # Errors
    /// A placeholder that means nothing.
    pub fn compare(&self, acts: &[Act], observed: &[Observed]) -> Result<Vec<Difference>, String> {
        let mut differences = Vec::new();
        let all = self.streams().into_iter().zip(acts.iter().zip(observed)).enumerate();
        for (n, (stream, (act, observed))) in all {
            let mut found = stream.expect.compare(observed, &act.template)?;
            if acts.len() > 1 {
                found
                    .iter_mut()
                    .for_each(|one| one.what = format!("request {}: {}", n + 1, one.what));
            }
            differences.extend(found);
        }
        Ok(differences)
    }
}

// === impl Expect ===

impl Expect {
    /// How what came of a step differs from this.
    ///
    /// # Errors
    /// A placeholder that means nothing.
    fn compare(&self, observed: &Observed, template: &Template) -> Result<Vec<Difference>, String> {
        let mut comparison = Comparison { template, differences: Vec::new() };
        self.compare_verdict(observed, &mut comparison);
        let status = observed.status.map(|status| status.to_string());
        comparison.same("status", self.status.map(|status| status.to_string()), status);
        for (name, expected) in &self.headers {
            let found: Vec<&str> = observed.received.headers.all(name).map(as_text).collect();
            comparison.header(&format!("header {name}"), expected, &found)?;
        }
        self.compare_body(observed, &mut comparison)?;
        let turn = observed.turn.map(|turn| turn.to_string());
        comparison.same("turn", self.turn.map(|turn| turn.to_string()), turn);
        if let Some(upstream) = &self.upstream {
            upstream.compare(observed, &mut comparison)?;
        }
        let callouts = observed.callouts.len().to_string();
        comparison.same("callouts", self.callouts.map(|n| n.to_string()), Some(callouts));
        self.compare_custody(observed, &mut comparison)?;
        let outcomes = self.outcomes.as_ref().map(|outcomes| Value::from(outcomes.clone()));
        comparison.same(
            "outcomes",
            outcomes.map(|outcomes| outcomes.to_string()),
            Some(observed.told()),
        );
        Ok(comparison.differences)
    }

    fn compare_verdict(&self, observed: &Observed, comparison: &mut Comparison<'_>) {
        let expected = match (&self.denied, self.allowed) {
            (Some(reason), _) => Some(format!("denied {reason}")),
            (None, Some(true)) => Some("allowed".to_owned()),
            (None, Some(false)) => {
                if observed.is_allowed() {
                    comparison.differ("verdict", "denied", &observed.verdict());
                }
                None
            }
            (None, None) => None,
        };
        comparison.same("verdict", expected, Some(observed.verdict()));
    }

    fn compare_body(
        &self,
        observed: &Observed,
        comparison: &mut Comparison<'_>,
    ) -> Result<(), String> {
        let body = observed.received.body_text();
        comparison.same("body", self.body.clone(), Some(body.clone()));
        for text in &self.body_contains {
            let text = comparison.template.text(text)?;
            if !body.contains(&text) {
                comparison.differ("body", &format!("contains {text}"), &body);
            }
        }
        for text in &self.body_lacks {
            let text = comparison.template.text(text)?;
            let mut headers = observed.received.headers.iter();
            if body.contains(&text) || headers.any(|(_, value)| as_text(value).contains(&text)) {
                comparison.differ("what the guest got", &format!("no {text}"), "it is there");
            }
        }
        Ok(())
    }

    fn compare_custody(
        &self,
        observed: &Observed,
        comparison: &mut Comparison<'_>,
    ) -> Result<(), String> {
        let last = observed.callouts.last();
        let asked: Value =
            last.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        for (name, expected) in &self.custody {
            let expected = comparison.template.value(expected)?;
            let found = asked.get(name).cloned().unwrap_or_default();
            if found != expected {
                let (expected, found) = (expected.to_string(), found.to_string());
                comparison.differ(&format!("custody {name}"), &expected, &found);
            }
        }
        Ok(())
    }
}

// === impl ExpectUpstream ===

impl ExpectUpstream {
    fn compare(&self, observed: &Observed, comparison: &mut Comparison<'_>) -> Result<(), String> {
        let Some(message) = observed.upstream.as_ref().filter(|_| observed.is_allowed()) else {
            comparison.differ("upstream", "a request", "nothing reached it");
            return Ok(());
        };
        for (what, expected, name) in [
            ("upstream method", &self.method, ":method"),
            ("upstream authority", &self.authority, ":authority"),
            ("upstream path", &self.path, ":path"),
        ] {
            if let Some(expected) = expected {
                let expected = comparison.template.text(expected)?;
                comparison.same(what, Some(expected), message.headers.text(name));
            }
        }
        for (name, expected) in &self.headers {
            let found: Vec<&str> = message.headers.all(name).map(as_text).collect();
            comparison.header(&format!("upstream header {name}"), expected, &found)?;
        }
        comparison.same("upstream body", self.body.clone(), Some(message.body_text()));
        Ok(())
    }
}

// === impl Comparison ===

impl Comparison<'_> {
    fn differ(&mut self, what: &str, expected: &str, found: &str) {
        self.differences.push(Difference {
            what: what.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        });
    }

    fn same(&mut self, what: &str, expected: Option<String>, found: Option<String>) {
        if let Some(expected) = expected
            && found.as_ref() != Some(&expected)
        {
            self.differ(what, &expected, found.as_deref().unwrap_or("nothing"));
        }
    }

    fn header(&mut self, what: &str, expected: &Value, found: &[&str]) -> Result<(), String> {
        let expected = self.template.value(expected)?;
        let wanted: Vec<String> = match &expected {
            Value::Null => Vec::new(),
            Value::Array(values) => values.iter().map(plain).collect(),
            value => vec![plain(value)],
        };
        if wanted.iter().map(String::as_str).ne(found.iter().copied()) {
            let shown = |list: &[&str]| match list {
                [] => "absent".to_owned(),
                list => list.join(" | "),
            };
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            self.differ(what, &shown(&wanted), &shown(found));
        }
        Ok(())
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("(no text)")
}
