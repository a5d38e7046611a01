//! The OpenAPI 3.1 description, made of the operations' table and the types they speak of.

use crate::api::operation::{Answered, Operation, Parameter, Place, SchemaOf};
use crate::api::refusal::RefusalBody;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// A description being written.
pub struct Description {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
    title: &'static str,
    about: &'static str,
}

// === impl Description ===

impl Description {
    pub fn new(title: &'static str, about: &'static str) -> Self {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        Self { schemas: settings.into_generator(), paths: Map::new(), title, about }
    }

    /// Adds the operations of one listener; `tag` names it, `security` is the scheme it demands.
    pub fn add<S>(&mut self, tag: &str, security: &[&str], operations: &[Operation<S>]) {
        for operation in operations {
            let path = self.paths.entry(operation.path).or_insert_with(|| json!({}));
            let mut described = describe(&mut self.schemas, operation);
            if let Value::Object(fields) = &mut described {
                fields.insert("tags".into(), json!([tag]));
                let all: Map<_, _> =
                    security.iter().map(|name| ((*name).to_owned(), json!([]))).collect();
                fields.insert("security".into(), json!([all]));
            }
            if let Value::Object(verbs) = path {
                verbs.insert(operation.verb.name().into(), described);
            }
        }
    }

    /// The whole document.
    pub fn finish(mut self) -> Value {
        let schemas = self.schemas.take_definitions(true);
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": self.title,
                "version": env!("CARGO_PKG_VERSION"),
                "description": self.about,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "operator": {"type": "mutualTLS", "description": "A client certificate of admin.tls.client_ca."},
                    "worker": {"type": "mutualTLS", "description": "A client certificate of workers.tls.client_ca."},
                    "edge": {"type": "mutualTLS", "description": "A client certificate of edge.tls.client_ca."},
                    "capability": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                },
            },
        })
    }
}

fn describe<S>(schemas: &mut SchemaGenerator, operation: &Operation<S>) -> Value {
    let mut described = Map::new();
    described.insert("operationId".into(), operation.id.into());
    described.insert("summary".into(), operation.summary.into());
    let parameters: Vec<_> = operation
        .parameters
        .iter()
        .map(|parameter| described_parameter(schemas, parameter))
        .collect();
    if !parameters.is_empty() {
        described.insert("parameters".into(), parameters.into());
    }
    if let Some(body) = operation.body {
        let content = json_content(schemas, body);
        described.insert("requestBody".into(), json!({"required": true, "content": content}));
    }
    let mut answers = Map::new();
    let content = match operation.answer {
        Answered::Json(schema) => json_content(schemas, schema),
        Answered::Other(kind) => json!({kind: {}}),
    };
    answers.insert("200".into(), json!({"description": "done", "content": content}));
    for (status, when) in operation.refusals {
        let content = json_content(schemas, |schemas| schemas.subschema_for::<RefusalBody<'_>>());
        answers.insert(status.to_string(), json!({"description": when, "content": content}));
    }
    described.insert("responses".into(), answers.into());
    described.into()
}

fn json_content(schemas: &mut SchemaGenerator, schema: SchemaOf) -> Value {
    json!({"application/json": {"schema": schema(schemas)}})
}

fn described_parameter(schemas: &mut SchemaGenerator, parameter: &Parameter) -> Value {
    let Parameter { name, place, meaning, schema } = parameter;
    let in_path = *place == Place::Path;
    json!({
        "name": name,
        "in": if in_path { "path" } else { "query" },
        "required": in_path,
        "description": meaning,
        "schema": schema(schemas),
    })
}
