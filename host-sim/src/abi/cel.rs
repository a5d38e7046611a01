//! `expr_create`, `expr_evaluate` and `expr_delete`: the Common Expression Language over the attributes of the
//! running callback's context.

mod variables;

use super::call::Call;
use super::properties;
use crate::pairs;
use crate::status::Status;
use crate::vm::Expression;
use cel::common::ast::Expr;
use cel::objects::{Key, Value};
use cel::{Context, Env};
use std::sync::{Arc, OnceLock};

/// The functions that Envoy has beside operators and macros.
const FUNCTIONS: [&str; 26] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "in",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// A number for [`evaluate`].
pub(super) fn create(call: &mut Call<'_>, text: &[u8]) -> Result<Vec<u8>, Status> {
    let text = std::str::from_utf8(text).map_err(|_| Status::BadArgument)?;
    let program = environment().compile(text).map_err(|_| Status::BadArgument)?;
    let id = call.state().current;
    let root = call.state().root_of(id);
    let root = call.state().root_mut(root).ok_or(Status::BadArgument)?;
    let token = root.next_expression;
    root.next_expression += 1;
    if program.references().functions().iter().any(|function| !is_known(function)) {
        return Err(Status::BadArgument);
    }
    root.expressions.insert(token, Expression(Arc::new(program)));
    Ok(token.to_le_bytes().to_vec())
}

pub(super) fn evaluate(call: &mut Call<'_>, token: &[u8]) -> Result<Vec<u8>, Status> {
    let token = number(token)?;
    let state = call.state();
    let subject = state.current;
    let root = state.root_of(subject);
    let root = state.root_mut(root).ok_or(Status::NotFound)?;
    let Expression(program) = root.expressions.get(&token).cloned().ok_or(Status::NotFound)?;
    // What is an attribute and nothing else has the form of one; maps and types have none.
    if let Some(path) = path_of(&program.expression().expr) {
        match properties::value_of(state, subject, path.as_bytes()) {
            Err(Status::NotFound) => {}
            value => return value,
        }
    }
    if is_type(&program.expression().expr) {
        return Err(Status::SerializationFailure);
    }
    let mut context = Context::with_env(environment());
    for (name, value) in variables::of(state, subject) {
        context.add_variable_from_value(name, value);
    }
    let value = program.execute(&context).map_err(|_| Status::InternalFailure)?;
    serialised(&value).ok_or(Status::SerializationFailure)
}

/// One that is not there is fine, too.
pub(super) fn delete(call: &mut Call<'_>, token: &[u8]) -> Result<Vec<u8>, Status> {
    let token = number(token)?;
    let state = call.state();
    let root = state.root_of(state.current);
    if let Some(root) = state.root_mut(root) {
        root.expressions.remove(&token);
    }
    Ok(Vec::new())
}

fn number(bytes: &[u8]) -> Result<u32, Status> {
    <[u8; 4]>::try_from(bytes).map(u32::from_le_bytes).map_err(|_| Status::BadArgument)
}

fn environment() -> Arc<Env> {
    static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
    Arc::clone(ENVIRONMENT.get_or_init(|| Arc::new(Env::stdlib())))
}

/// Operators have names of other characters than letters.
fn is_known(function: &str) -> bool {
    FUNCTIONS.contains(&function) || !function.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// `a.b.c` as the path of an attribute.
fn path_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}\0{}", path_of(&select.operand.expr)?, select.field))
        }
        _ => None,
    }
}

fn is_type(expression: &Expr) -> bool {
    matches!(expression, Expr::Call(call) if call.func_name == "type")
}

/// As an attribute: text as it is, numbers and times in 8 bytes, a bool in one, maps and lists as pairs.
fn serialised(value: &Value) -> Option<Vec<u8>> {
    Some(match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Int(number) => number.to_le_bytes().to_vec(),
        Value::UInt(number) => number.to_le_bytes().to_vec(),
        Value::Float(number) => number.to_le_bytes().to_vec(),
        Value::Bool(is) => vec![u8::from(*is)],
        Value::Duration(duration) => duration.num_nanoseconds()?.to_le_bytes().to_vec(),
        Value::Timestamp(time) => time.timestamp_nanos_opt()?.to_le_bytes().to_vec(),
        Value::List(values) => {
            let elements = values.iter().map(|value| Some((serialised(value)?, Vec::new())));
            pairs::encode_bytes(&elements.collect::<Option<Vec<_>>>()?)
        }
        Value::Map(map) => {
            let entries =
                map.map.iter().map(|(key, value)| Some((key_bytes(key), serialised(value)?)));
            let mut entries = entries.collect::<Option<Vec<_>>>()?;
            entries.sort();
            pairs::encode_bytes(&entries)
        }
        _ => return None,
    })
}

fn key_bytes(key: &Key) -> Vec<u8> {
    match key {
        Key::String(text) => text.as_bytes().to_vec(),
        Key::Int(number) => number.to_le_bytes().to_vec(),
        Key::Uint(number) => number.to_le_bytes().to_vec(),
        Key::Bool(is) => vec![u8::from(*is)],
    }
}
