//! The edge listener's operations. Their types belong to the wire crate, which the filter is made of
//! too and which therefore knows no schemas; so they are written down here, and held against real
//! answers by the tests.

use crate::api::limits;
use lease::{OutcomeRefusal, RefusalCode};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Adds them to the document.
pub(super) fn add(document: &mut Value) {
    for (pointer, additions) in [("/paths", paths()), ("/components/schemas", schemas())] {
        let place = document.pointer_mut(pointer).and_then(Value::as_object_mut);
        if let (Some(place), Value::Object(additions)) = (place, additions) {
            for (name, addition) in additions {
                match (place.get_mut(&name), addition) {
                    // The admin listener has a path of this name with another method.
                    (Some(Value::Object(there)), Value::Object(more)) => there.extend(more),
                    (_, addition) => {
                        place.insert(name, addition);
                    }
                }
            }
        }
    }
}

fn paths() -> Value {
    json!({
        "/v1/leases": {"post": operation(
            "lease", "Lease a credential for one destination.", Some("LeaseRequest"), Some("Lease"),
            &by_status(RefusalCode::ALL.map(|code| (code.status(), code.code(), code.meaning()))),
        )},
        "/v1/leases/{id}/outcome": {"post": with_parameters(
            operation(
                "settle", "What became of the operation of a single-use lease.",
                Some("OutcomeReport"), None,
                &by_status(OutcomeRefusal::ALL.map(|code| (code.status(), code.code(), code.meaning()))),
            ),
            json!([{"name": "id", "in": "path", "required": true,
                "schema": of(limits::lease_id)}]),
        )},
        "/v1/sync": {"get": with_parameters(
            operation(
                "sync", "What is revoked since a cursor; waits for a change.", None,
                Some("SyncAnswer"), &of_feed("The cursor or the wait is not valid."),
            ),
            json!([
                {"name": "cursor", "in": "query", "required": false, "schema": of(limits::cursor)},
                {"name": "wait", "in": "query", "required": false, "schema": of(limits::wait)},
            ]),
        )},
        "/v1/seen": {"post": operation(
            "seen", "Sessions in use since the last report.", Some("SeenReport"), None,
            &of_feed("The report does not match the contract."),
        )},
        "/healthz": {"get": health()},
    })
}

/// Codes and their meanings, by the status they travel with.
fn by_status<'a>(
    codes: impl IntoIterator<Item = (u16, &'a str, &'a str)>,
) -> BTreeMap<u16, String> {
    let mut texts: BTreeMap<u16, String> = BTreeMap::new();
    for (status, code, meaning) in codes {
        let text = texts.entry(status).or_default();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&format!("`{code}`: {meaning}"));
    }
    texts
}

/// The refusals of the operations that no session asks for.
fn of_feed(bad_request: &str) -> BTreeMap<u16, String> {
    let (bad, down) = (RefusalCode::BadRequest, RefusalCode::Unavailable);
    by_status([
        (bad.status(), bad.code(), bad_request),
        (down.status(), down.code(), "The ledger fails now, or too many requests wait."),
    ])
}

/// Every code of a refusal, once.
fn refusal_codes() -> Value {
    let leases = RefusalCode::ALL.map(RefusalCode::code);
    let outcomes = OutcomeRefusal::ALL.map(OutcomeRefusal::code);
    json!(leases.into_iter().chain(outcomes).collect::<BTreeSet<_>>())
}

/// Of the edge and the health listener; the answer says what fails in both cases.
fn health() -> Value {
    let mut operation = operation(
        "health",
        "Whether a lease could be given.",
        None,
        Some("Health"),
        &BTreeMap::new(),
    );
    let healthy = operation.pointer("/responses/200").cloned();
    if let (Some(mut unhealthy), Some(responses)) = (healthy, operation.get_mut("responses")) {
        put(&mut unhealthy, "description", json!("the ledger or the audit log fails"));
        put(responses, "503", unhealthy);
    }
    operation
}

fn operation(
    id: &str,
    summary: &str,
    body: Option<&str>,
    answer: Option<&str>,
    refusals: &BTreeMap<u16, String>,
) -> Value {
    let content = |schema: &str| json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{schema}")}}});
    let mut responses = match answer {
        Some(schema) => json!({"200": {"description": "done", "content": content(schema)}}),
        None => json!({"204": {"description": "done"}}),
    };
    for (status, when) in refusals {
        let refused = json!({"description": when, "content": content("EdgeRefusal")});
        put(&mut responses, &status.to_string(), refused);
    }
    let mut operation = json!({
        "operationId": id, "summary": summary, "tags": ["edge"],
        "security": [{"edge": []}], "responses": responses,
    });
    if let Some(schema) = body {
        let body = json!({"required": true, "content": content(schema)});
        put(&mut operation, "requestBody", body);
    }
    operation
}

fn with_parameters(mut operation: Value, parameters: Value) -> Value {
    put(&mut operation, "parameters", parameters);
    operation
}

fn put(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

fn of(limit: fn(&mut SchemaGenerator) -> Schema) -> Value {
    limit(&mut SchemaGenerator::default()).to_value()
}

/// The members of a lease request, with the limits of [`lease::LeaseRequest::decode`].
fn lease_request() -> Value {
    let digest = of(limits::digest);
    json!({
        "session": {"type": "string", "description": "the Session JWT"},
        "handle": of(limits::handle),
        "destination": of(limits::destination),
        "method": of(limits::method),
        "path": of(limits::path),
        "fingerprint": digest,
        "idempotency_key": of(limits::idempotency_key),
        "body_digest": digest,
        "binding": {"enum": ["session", "single_use"]},
    })
}

/// A failure has a code, and nothing else has.
fn outcome_report() -> Value {
    let mut report = object(
        json!({
            "outcome": {"enum": ["accepted", "delivered", "failed"]},
            "failure_code": of(limits::failure_code),
        }),
        &["outcome"],
    );
    put(&mut report, "if", json!({"properties": {"outcome": {"const": "failed"}}}));
    put(&mut report, "then", json!({"required": ["failure_code"]}));
    put(&mut report, "else", json!({"properties": {"failure_code": false}}));
    report
}

fn schemas() -> Value {
    let text = json!({"type": "string"});
    let seconds = json!({"type": "integer", "minimum": 0, "description": "Unix seconds"});
    let binding = json!({"enum": ["session", "single_use"]});
    json!({
        "EdgeRefusal": object(json!({"code": {"enum": refusal_codes()}}), &["code"]),
        "Health": object(json!({"status": text}), &["status"]),
        "LeaseRequest": object(
            lease_request(),
            &["session", "handle", "destination", "method", "path", "binding"],
        ),
        "Lease": object(
            json!({
                "lease_id": text, "expires_at": seconds, "renew_after": seconds, "binding": binding,
                "headers": {"type": "array", "minItems": 1,
                    "items": object(json!({"name": text, "value": text}), &["name", "value"])},
            }),
            &["lease_id", "expires_at", "renew_after", "headers", "binding"],
        ),
        "OutcomeReport": outcome_report(),
        "SyncAnswer": object(
            json!({
                "cursor": of(limits::cursor), "full": {"type": "boolean"}, "kill_switch": {"type": "boolean"},
                "changes": {"type": "array", "items": object(
                    json!({
                        "kind": {"enum": ["session", "lease", "handle"]}, "id": text,
                        "revoked": {"type": "boolean"}, "until": seconds,
                    }),
                    &["kind", "id", "revoked"],
                )},
            }),
            &["cursor", "full", "kill_switch", "changes"],
        ),
        "SeenReport": object(
            json!({"sessions": {"type": "array", "maxItems": lease::SEEN_LIMIT,
                "items": of(limits::session_id)}}),
            &["sessions"],
        ),
    })
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": false,
    })
}
