//! `type: exec`: a program whose standard output is the credential.

use super::own_secret::{self, RawOwnSecret};
use crate::config::fault::Faults;
use custody_backends::exec::{CommandRequest, Format, JsonFields, Program, Variable};
use custody_base::credential::{CredentialType, Shape};
use lease::HeaderName;
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProgram {
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, Value>,
    timeout: Option<String>,
    keep: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(rename = "type", default = "bearer")]
    kind: CredentialType,
    user: Option<String>,
    header: Option<String>,
    json: Option<RawJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJson {
    value: String,
    expires_at: Option<String>,
}

fn bearer() -> CredentialType {
    CredentialType::Bearer
}

pub(super) fn read(path: &str, value: Value, faults: &mut Faults) -> Option<Program> {
    let raw: RawProgram = faults.section(path, Some(value))?;
    let before = faults.0.len();
    let mut command = raw.command.into_iter();
    let program = PathBuf::from(command.next().unwrap_or_default());
    if !program.is_absolute() {
        let what = "is the absolute path of a program, as in /usr/bin/op: custody searches no PATH";
        faults.add(format!("{path}.command[0]"), what);
    }
    let arguments: Vec<_> = command.collect();
    check_texts(&format!("{path}.command"), &arguments, 1, faults);
    let mut environment = BTreeMap::new();
    for (name, value) in raw.environment {
        let field = format!("{path}.environment.{name}");
        if !is_variable(&name) {
            faults.add(&field, "a name is letters, digits and _, and does not begin with a digit");
        }
        if let Some(variable) = read_variable(&field, value, faults) {
            environment.insert(name, variable);
        }
    }
    let mut span = |name: &str, text: Option<String>, usual, most| match text {
        None => Some(usual),
        Some(text) => faults.seconds(&format!("{path}.{name}"), &text, 1..=most),
    };
    let limit = span("timeout", raw.timeout, 10, 30);
    let keep = span("keep", raw.keep, 15 * 60, 24 * 3600);
    let (limit, keep) = (Duration::from_secs(limit?), Duration::from_secs(keep?));
    let program = Program { path: program, arguments, environment, limit, keep };
    (faults.0.len() == before).then_some(program)
}

fn read_variable(field: &str, value: Value, faults: &mut Faults) -> Option<Variable> {
    match value {
        Value::String(text) if text.contains('\0') => {
            faults.add(field, "has a zero byte, which no variable can have");
            None
        }
        Value::String(text) => Some(Variable::Text(text)),
        value @ Value::Mapping(_) => {
            let raw: RawOwnSecret = faults.section(field, Some(value))?;
            let (actor, handle) = own_secret::read(field, &raw, faults)?;
            Some(Variable::Stored { actor, handle })
        }
        _ => {
            faults.add(field, "is a text (in quotes), or {handle: NAME} for a stored secret");
            None
        }
    }
}

pub(super) fn read_source(path: &str, value: Value, faults: &mut Faults) -> Option<CommandRequest> {
    let raw: RawSource = faults.section(path, Some(value))?;
    let before = faults.0.len();
    check_texts(&format!("{path}.arguments"), &raw.arguments, 0, faults);
    let shape = read_shape(path, raw.kind, raw.user, raw.header, faults);
    let format = match raw.json {
        None => Format::Text,
        Some(RawJson { value, expires_at }) => {
            check_pointer(&format!("{path}.json.value"), &value, faults);
            if let Some(pointer) = &expires_at {
                check_pointer(&format!("{path}.json.expires_at"), pointer, faults);
            }
            Format::Json(JsonFields { value, expires_at })
        }
    };
    let request = CommandRequest { arguments: raw.arguments, shape: shape?, format };
    (faults.0.len() == before).then_some(request)
}

fn read_shape(
    path: &str,
    kind: CredentialType,
    user: Option<String>,
    header: Option<String>,
    faults: &mut Faults,
) -> Option<Shape> {
    use CredentialType as Of;
    match (kind, user, header) {
        (Of::Bearer, None, None) => Some(Shape::Bearer),
        (Of::Opaque, None, None) => Some(Shape::Opaque),
        (Of::Basic, Some(user), None) => Some(Shape::Basic { user }),
        (Of::ApiKey, None, Some(header)) => match HeaderName::parse(&header) {
            Ok(header) => Some(Shape::ApiKey { header: header.as_str().to_owned() }),
            Err(fault) => {
                faults.add(format!("{path}.header"), fault);
                None
            }
        },
        _ => {
            faults.add(
                format!("{path}.type"),
                "is bearer (the default), basic with `user`, api_key with `header`, or opaque",
            );
            None
        }
    }
}

fn check_texts(path: &str, texts: &[String], first: usize, faults: &mut Faults) {
    for (at, text) in texts.iter().enumerate() {
        if text.contains('\0') {
            let field = format!("{path}[{}]", at + first);
            faults.add(field, "has a zero byte, which no argument can have");
        }
    }
}

fn check_pointer(path: &str, text: &str, faults: &mut Faults) {
    // RFC 6901 section 3: `~0` is a tilde and `~1` a slash.
    let is_escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !(text.is_empty() || text.starts_with('/')) || !is_escaped {
        faults.add(path, "is a JSON pointer, as in /token or /a~1b (~0 is a tilde, ~1 a slash)");
    }
}

fn is_variable(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(fine) && name.starts_with(|c: char| !c.is_ascii_digit())
}
