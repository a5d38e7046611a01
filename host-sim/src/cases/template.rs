//! `${...}` in cases: the token, the time, the test keys.

use super::keys;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the placeholders stand for in one step.
///
/// - `${session}`: the minted token; `${basic}`: it as the password of Basic credentials;
/// - `${now}`, `${now+300}`, `${now-5}`: seconds since the epoch, a number where it is the whole value;
/// - `${jwks}`: the JWK set of the known test keys, where it is the whole value;
/// - `${repeat:N:TEXT}`: the text, N times.
#[derive(Clone, Debug)]
pub struct Template {
    pub now: u64,
    pub session: String,
    pub jwks: Value,
}

// === impl Template ===

impl Template {
    pub fn new(now: u64, session: String) -> Self {
        Self { now, session, jwks: keys::jwks() }
    }

    /// Fills a text in.
    ///
    /// # Errors
    /// The placeholder that means nothing.
    pub fn text(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            let (name, after) =
                behind.split_once('}').ok_or_else(|| format!("\"${{{behind}\" has no end"))?;
            filled.push_str(before);
            filled.push_str(&self.named(name)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Fills every text of a value in; one that is a placeholder and nothing else may become a
    /// number or an object.
    ///
    /// # Errors
    /// The placeholder that means nothing.
    pub fn value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match whole_placeholder(text) {
                Some("jwks") => self.jwks.clone(),
                Some(name) if name.starts_with("now") => Value::from(self.time(name)?),
                _ => Value::String(self.text(text)?),
            },
            Value::Array(values) => Value::Array(
                values.iter().map(|value| self.value(value)).collect::<Result<_, _>>()?,
            ),
            Value::Object(fields) => {
                let filled = fields
                    .iter()
                    .map(|(name, value)| self.value(value).map(|value| (name.clone(), value)));
                Value::Object(filled.collect::<Result<_, _>>()?)
            }
            other => other.clone(),
        })
    }

    fn named(&self, name: &str) -> Result<String, String> {
        match name {
            "session" => Ok(self.session.clone()),
            "basic" => Ok(STANDARD.encode(format!("session:{}", self.session))),
            "jwks" => Ok(self.jwks.to_string()),
            _ if name.starts_with("now") => self.time(name).map(|time| time.to_string()),
            _ => repeated(name).ok_or_else(|| format!("${{{name}}} means nothing")),
        }
    }

    fn time(&self, name: &str) -> Result<u64, String> {
        let offset = name.strip_prefix("now").unwrap_or_default();
        let seconds = if offset.is_empty() { Some(0) } else { offset.parse::<i64>().ok() };
        let time = seconds.and_then(|seconds| self.now.checked_add_signed(seconds));
        time.ok_or_else(|| format!("${{{name}}} is not a time; write ${{now+300}}, in seconds"))
    }
}

fn whole_placeholder(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.contains('}')).then_some(name)
}

fn repeated(name: &str) -> Option<String> {
    let (count, text) = name.strip_prefix("repeat:")?.split_once(':')?;
    Some(text.repeat(count.parse().ok().filter(|count| *count <= 1_000_000)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_are_filled_in() {
        let template = Template::new(1000, "a.b.c".into());
        assert_eq!(template.text("Bearer ${session}").as_deref(), Ok("Bearer a.b.c"));
        assert_eq!(template.text("${basic}").as_deref(), Ok("c2Vzc2lvbjphLmIuYw=="));
        assert_eq!(template.text("${repeat:3:ab}!").as_deref(), Ok("ababab!"));
        let value = json!({"a": ["${now+300}", "at ${now-1}", 1]});
        assert_eq!(template.value(&value), Ok(json!({"a": [1300, "at 999", 1]})));
        assert!(template.value(&json!("${jwks}")).unwrap()["keys"][0]["x"].is_string());
    }

    #[test]
    fn what_means_nothing_is_named() {
        let template = Template::new(1000, String::new());
        for (text, reason) in [
            ("${nowhere}", "${nowhere} is not a time"),
            ("${now+x}", "${now+x} is not a time"),
            ("${other}", "${other} means nothing"),
            ("${open", "\"${open\" has no end"),
            ("${repeat:x:y}", "${repeat:x:y} means nothing"),
        ] {
            let error = template.text(text).unwrap_err();
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }
}
