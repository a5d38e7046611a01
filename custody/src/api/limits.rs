//! The limits of what a caller sends, as schemas. Each is made of the constant that its parser uses.
//! JSON Schema counts characters where a parser counts bytes, which is the same for ASCII.

use crate::admin::leases::LIMIT_CEILING;
use lease::{
    CURSOR_LENGTH, FAILURE_CODE_LENGTH, Handle, Host, IDEMPOTENCY_KEY_LENGTH, LEASE_CEILING,
    LEASE_ID_LENGTH, METHOD_LENGTH, PATH_LENGTH, SESSION_ID_LENGTH, SYNC_WAIT_CEILING,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// A colon and a port.
const PORT_LENGTH: usize = 6;

/// Of [`Handle`] and of [`crate::actor::Actor`].
pub fn handle(_: &mut SchemaGenerator) -> Schema {
    let rest = Handle::MAX_LENGTH - 1;
    pattern(&format!("^[A-Za-z0-9][A-Za-z0-9._-]{{0,{rest}}}$"))
}

/// [`lease::is_lease_id`]
pub fn lease_id(_: &mut SchemaGenerator) -> Schema {
    pattern(&format!("^[A-Za-z0-9._-]{{1,{LEASE_ID_LENGTH}}}$"))
}

/// A session's `sid`, or `jti`.
pub fn session_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": SESSION_ID_LENGTH})
}

/// [`lease::is_cursor`]
pub fn cursor(_: &mut SchemaGenerator) -> Schema {
    pattern(&format!("^[A-Za-z0-9._-]{{1,{CURSOR_LENGTH}}}$"))
}

/// [`lease::is_method`]
pub fn method(_: &mut SchemaGenerator) -> Schema {
    pattern(&format!("^[A-Za-z_-]{{1,{METHOD_LENGTH}}}$"))
}

pub fn path(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^/", "maxLength": PATH_LENGTH})
}

/// [`lease::Authority`]. A text of this shape may still be none: a name that is too long, one that
/// ends in a number, an A-label that decodes to nothing, an IPv6 address that is none.
pub fn destination(_: &mut SchemaGenerator) -> Schema {
    let label = format!("[A-Za-z0-9_-]{{1,{}}}", Host::MAX_LABEL);
    let port =
        "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]";
    let host = format!(r"{label}(\.{label})*\.?|\[[0-9A-Fa-f:.]+\]");
    // The dot at the end of a name is one more.
    let longest = Host::MAX_LENGTH + 1 + PORT_LENGTH;
    json_schema!({
        "type": "string",
        "description": "HOST or HOST:PORT; an IPv6 address is in brackets",
        "pattern": format!("^({host})(:({port}))?$"),
        "maxLength": longest,
    })
}

/// [`lease::is_idempotency_key`]
pub fn idempotency_key(_: &mut SchemaGenerator) -> Schema {
    pattern(&format!("^[ -~]{{1,{IDEMPOTENCY_KEY_LENGTH}}}$"))
}

pub fn failure_code(_: &mut SchemaGenerator) -> Schema {
    let rest = FAILURE_CODE_LENGTH - 1;
    pattern(&format!("^[a-z][a-z0-9_]{{0,{rest}}}$"))
}

/// SHA-256 in hexadecimal digits.
pub fn digest(_: &mut SchemaGenerator) -> Schema {
    pattern("^[0-9a-f]{64}$")
}

/// Rows of a list.
pub fn limit(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "minimum": 1, "maximum": LIMIT_CEILING})
}

/// Seconds of a credential that a worker fetches.
pub fn ttl(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["integer", "null"], "minimum": 1, "maximum": LEASE_CEILING})
}

/// Seconds that an edge waits for a change.
pub fn wait(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "minimum": 0, "maximum": SYNC_WAIT_CEILING})
}

/// The id of anything that can be revoked, where its kind is not known.
pub fn target_id(schemas: &mut SchemaGenerator) -> Schema {
    session_id(schemas)
}

/// For a schema with the members `kind` and `id`: what an id of each kind is.
pub fn id_of_kind(schema: &mut Schema) {
    let schemas = &mut SchemaGenerator::default();
    let kinds =
        [("lease", lease_id(schemas)), ("handle", handle(schemas)), ("actor", handle(schemas))];
    let of = |(kind, id): &(&str, Schema)| {
        json!({
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"properties": {"id": id}},
        })
    };
    schema.insert("allOf".into(), Value::Array(kinds.iter().map(of).collect()));
}

fn pattern(pattern: &str) -> Schema {
    json_schema!({"type": "string", "pattern": pattern})
}
