//! The limits of what a caller sends, as schemas. Each is made of the constant that its parser uses.
//! JSON Schema counts characters where a parser counts bytes, which is the same for ASCII.

use lease::{
    CURSOR_LENGTH, FAILURE_CODE_LENGTH, Handle, Host, IDEMPOTENCY_KEY_LENGTH, LEASE_CEILING,
    LEASE_ID_LENGTH, METHOD_LENGTH, PATH_LENGTH, SESSION_ID_LENGTH, SYNC_WAIT_CEILING,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Rows of a list, at most.
pub const LIMIT_CEILING: u32 = 10_000;
/// A colon and a port.
const PORT_LENGTH: usize = 6;

/// Of [`Handle`] and of [`custody_base::actor::Actor`].
pub fn handle(_: &mut SchemaGenerator) -> Schema {
    let rest = Handle::MAX_LENGTH - 1;
    pattern(&format!("^[A-Za-z0-9][A-Za-z0-9._-]{{0,{rest}}}$"))
}

/// [`lease::is_lease_id`]
pub fn lease_id(_: &mut SchemaGenerator) -> Schema {
    pattern(&format!("^[A-Za-z0-9._-]{{1,{LEASE_ID_LENGTH}}}$"))
}

/// A session's name.
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

/// [`lease::Authority`]. The schema leaves one rule out: an A-label (`xn--`) decodes, and back to itself.
pub fn destination(_: &mut SchemaGenerator) -> Schema {
    let label = format!("[A-Za-z0-9_-]{{1,{}}}", Host::MAX_LABEL);
    let port = "(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?";
    let (ipv4, ipv6) = (ipv4(), ipv6());
    let (longest, longer) = (Host::MAX_LENGTH, Host::MAX_LENGTH + 2);
    json_schema!({
        "type": "string",
        "description": "HOST or HOST:PORT; an IPv6 address is in brackets",
        "maxLength": Host::MAX_LENGTH + 1 + PORT_LENGTH,
        "anyOf": [
            {"pattern": format!(r"^{ipv4}\.?{port}$")},
            {"pattern": format!(r"^\[({ipv6})\]{port}$")},
            {
                "pattern": format!(r"^{label}(\.{label})*\.?{port}$"),
                "not": {"anyOf": [
                    {"description": "a name that ends in a number", "pattern": r"(^|\.)([0-9]+|0[xX][0-9A-Fa-f]*)\.?(:[0-9]+)?$"},
                    {"description": "a name that is too long", "pattern": format!(r"^([^:]{{{longer}}}|[^:]{{{longest}}}[^.:](:|$))")},
                ]},
            },
        ],
    })
}

/// As [`std::net::Ipv4Addr`] reads it: no leading zeros.
fn ipv4() -> String {
    let byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    format!(r"({byte}\.){{3}}{byte}")
}

/// As [`std::net::Ipv6Addr`] reads it: eight groups, or fewer around one `::`; the last two may be an IPv4 address.
fn ipv6() -> String {
    let (group, ipv4) = ("[0-9A-Fa-f]{1,4}", ipv4());
    let groups = |count: usize| format!("{group}(:{group}){{0,{}}}", count - 1);
    let mut forms = vec![format!("({group}:){{7}}{group}"), format!("({group}:){{6}}{ipv4}")];
    for before in 0..=7_usize {
        let head = match before {
            0 => String::new(),
            before => format!("{group}(:{group}){{{}}}", before - 1),
        };
        let tail = match 7 - before {
            0 => String::new(),
            1 => format!("({group})?"),
            after => format!("({}|({group}:){{0,{}}}{ipv4})?", groups(after), after - 2),
        };
        forms.push(format!("{head}::{tail}"));
    }
    forms.join("|")
}

/// The name of a header that a lease may write, [`lease::HeaderName`].
pub fn header_name(_: &mut SchemaGenerator) -> Schema {
    let either = |name: &str| -> String {
        let either = |c: char| match c {
            'a'..='z' => format!("[{}{c}]", c.to_ascii_uppercase()),
            _ => c.to_string(),
        };
        name.chars().map(either).collect()
    };
    let whole = ["host", "content-length", "expect", "connection", "keep-alive", "te", "trailer"];
    let whole = whole.into_iter().chain(["transfer-encoding", "upgrade"]).map(either);
    let whole = whole.collect::<Vec<_>>().join("|");
    let (proxy, envoy) = (either("proxy-"), either("x-envoy-"));
    json_schema!({
        "type": "string",
        "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$",
        "not": {"pattern": format!("^(({whole})$|{proxy}|{envoy})")},
    })
}

/// A secret that is the value of a header: no control characters. Its header has at most 16 KiB, in bytes and
/// with the scheme, which the schema does not express.
pub fn header_secret(_: &mut SchemaGenerator) -> Schema {
    pattern(r"^[^\x00-\x1f\x7f]+$")
}

/// A secret of any text.
pub fn secret(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1})
}

/// A user of Basic authentication: no colon and no control characters.
pub fn user(_: &mut SchemaGenerator) -> Schema {
    pattern(r"^[^:\x00-\x1f\x7f-\x9f]+$")
}

/// At least one byte (RFC 4648 section 4).
pub fn base64() -> Schema {
    let end = "[A-Za-z0-9+/]{4}|[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=";
    json_schema!({
        "type": "string",
        "contentEncoding": "base64",
        "pattern": format!("^([A-Za-z0-9+/]{{4}})*({end})$"),
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
