//! Manifests against what Kubernetes and Istio say of their kinds. Neither schema lets a field pass
//! that it does not know.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use stack::built::Built;
use stack::schemas::Schemas;

use crate::schema;

/// What is wrong with the documents, a line a fault.
pub fn faults(documents: &[Value]) -> Vec<String> {
    let schemas = Schemas::fetch(&|_| {}).unwrap();
    let (istio, kubernetes): (Vec<_>, Vec<_>) = documents
        .iter()
        .partition(|document| document["apiVersion"].as_str().unwrap().contains("istio.io"));
    let mut faults = of_istio(&schemas, &istio);
    // What the schemas of the kinds refer to, by the name they do.
    let definitions = schema::read(&schemas.kubernetes.join("_definitions.json"));
    let definitions = [("json-schema:///api/_definitions.json".to_owned(), definitions)];
    for document in kubernetes {
        let kind = document["kind"].as_str().unwrap().to_lowercase();
        // `apps/v1` is `apps-v1`, `networking.k8s.io/v1` is `networking-v1`, `v1` stays.
        let version = document["apiVersion"].as_str().unwrap();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let group = group.split('.').next().filter(|group| !group.is_empty());
        let name: Vec<_> =
            [Some(kind.as_str()), group, Some(version)].into_iter().flatten().collect();
        let schema = schema::read(&schemas.kubernetes.join(format!("{}.json", name.join("-"))));
        let who = format!("{kind} {}", document["metadata"]["name"]);
        let found = schema::faults(&schema, &definitions, document);
        faults.extend(found.into_iter().map(|fault| format!("{who}: {fault}")));
    }
    faults
}

fn of_istio(schemas: &Schemas, documents: &[&Value]) -> Vec<String> {
    let script = Built::root().join("tests/tests/shipping/istio.mjs");
    let mut node = Command::new(&schemas.node);
    node.arg(script).arg(&schemas.istio).stdin(Stdio::piped());
    let mut node = node.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let documents = serde_json::to_vec(documents).unwrap();
    node.stdin.take().unwrap().write_all(&documents).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
