//! `deploy/kustomize`: rendered by kubectl, and looked at as a cluster would before it takes them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stack::built::Built;
use stack::schemas::Schemas;
use tests::manifests::{find, parse};

use crate::kinds;

const FOLDERS: [&str; 3] = ["custody", "edge", "guests"];

fn rendered(folder: &str) -> Vec<Value> {
    let mut kubectl = Command::new(Schemas::fetch(&|_| {}).unwrap().kubectl);
    kubectl.arg("kustomize").arg(Built::root().join("deploy/kustomize").join(folder));
    parse(&said(&mut kubectl))
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// The pods, and all their containers.
fn pods(documents: &[Value]) -> Vec<(&Value, Vec<&Value>)> {
    let pods = documents.iter().filter_map(|document| document.pointer("/spec/template/spec"));
    pods.map(|pod| {
        let kinds = ["initContainers", "containers"];
        let containers = kinds.into_iter().filter_map(|kind| pod[kind].as_array()).flatten();
        (pod, containers.collect())
    })
    .collect()
}

#[test]
fn what_is_rendered_is_what_kubernetes_takes() {
    for folder in FOLDERS {
        assert_eq!(kinds::faults(&rendered(folder)), [""; 0], "{folder}");
    }
}

#[test]
fn every_container_is_closed_and_its_image_pinned() {
    let mut containers_seen = 0;
    for documents in FOLDERS.map(rendered) {
        for (pod, containers) in pods(&documents) {
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["automountServiceAccountToken"], false);
            for container in containers {
                let name = &container["name"];
                let security = &container["securityContext"];
                assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(security["capabilities"]["drop"][0], "ALL", "{name}");
                assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
                let image = container["image"].as_str().unwrap();
                let version = format!(":{}", env!("CARGO_PKG_VERSION"));
                assert!(image.ends_with(&version), "{name}: {image}");
                containers_seen += 1;
            }
        }
    }
    assert_eq!(containers_seen, 3);
}

/// Each mounted volume is there, and Envoy's file is the one that the end-to-end tests run.
#[test]
fn what_is_mounted_is_there() {
    for documents in FOLDERS.map(rendered) {
        for (pod, containers) in pods(&documents) {
            let mut volumes: Vec<_> = pod["volumes"].as_array().unwrap().iter().collect();
            for document in &documents {
                volumes.extend(
                    document["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten(),
                );
            }
            let name =
                |volume: &Value| volume.get("name").unwrap_or(&volume["metadata"]["name"]).clone();
            for mount in containers
                .iter()
                .flat_map(|container| container["volumeMounts"].as_array().unwrap())
            {
                assert!(volumes.iter().any(|volume| name(volume) == mount["name"]), "{mount}");
            }
            for volume in volumes {
                if let Some(map) = volume.pointer("/configMap/name") {
                    find(&documents, "ConfigMap", map.as_str().unwrap());
                }
            }
        }
    }
    let documents = rendered("edge");
    for name in ["explicit.yaml", "sds/edge-client.yaml", "sds/custody-ca.yaml"] {
        let file = Built::root().join("envoy").join(name);
        let shipped = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let is_it = |document: &&Value| document["data"].get(name).is_some();
        assert_eq!(documents.iter().find(is_it).unwrap()["data"][name], shipped, "{name}");
    }
}

/// It bounds how long an older policy goes on where the filter cannot (envoy/README.md). The tests of reloads
/// measure 5 seconds.
#[test]
fn every_command_that_starts_envoy_states_the_drain_time() {
    for (file, expected) in [
        ("docs/own-envoy.md", 1),
        ("docker-compose.yml", 1),
        ("deploy/kustomize/edge/edge.yaml", 1),
        ("envoy/README.md", 1),
        ("envoy/explicit.yaml", 1),
        ("envoy/gateway.yaml", 1),
    ] {
        let text = fs::read_to_string(Built::root().join(file)).unwrap();
        let starts = |line: &&str| {
            let is_command = line.contains("envoy -c ") || line.contains("[-c, ");
            is_command && !line.contains("--mode validate")
        };
        let lines: Vec<_> = text.lines().filter(starts).collect();
        assert_eq!(lines.len(), expected, "{file}: {lines:?}");
        for line in lines {
            let stated = line.replace(", ", " ").replace('"', "");
            assert!(stated.contains("--drain-time-s 5"), "{file}: {line}");
        }
    }
}

/// Custody itself reads the configuration, with the keys that `custody init` makes in the places where
/// the pod has them.
#[test]
fn custody_takes_its_configuration() {
    let documents = rendered("custody");
    let map = documents.iter().find(|document| document["kind"] == "ConfigMap").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let custody = Built::find().unwrap().program("custody").unwrap();
    let keys = folder.path().join("keys");
    said(Command::new(&custody).arg("init").arg(&keys));
    let at = |path: &Path| path.to_str().unwrap().to_owned();
    let config = map["data"]["custody.yaml"].as_str().unwrap();
    let config = config.replace("/etc/custody-keys", &at(&keys));
    let config = config.replace("/var/lib/custody", &at(folder.path()));
    assert!(!config.contains("/etc/") && !config.contains("/var/"), "{config}");
    let file = folder.path().join("custody.yaml");
    fs::write(&file, config).unwrap();
    fs::write(folder.path().join("jwks.json"), map["data"]["jwks.json"].as_str().unwrap()).unwrap();
    let mut put = Command::new(&custody);
    put.args(["cred", "put", "github-ci", "--config"]).arg(&file);
    said(put.stdin(fs::File::open(keys.join("root.key")).unwrap()));
    said(Command::new(&custody).args(["check", "--config"]).arg(&file));
}

/// Guests reach the edge's port in the edge's namespace, and custody lets nobody else in.
#[test]
fn the_policies_name_what_is_there() {
    let guests = rendered("guests");
    let policy = &find(&guests, "NetworkPolicy", "only-the-edge")["spec"];
    assert_eq!(policy["podSelector"], serde_json::json!({}));
    assert_eq!(policy["egress"].as_array().unwrap().len(), 1);
    let (to, port) = (&policy["egress"][0]["to"][0], &policy["egress"][0]["ports"][0]["port"]);
    let edge = rendered("edge");
    let deployment = find(&edge, "Deployment", "edge");
    let namespace = &to["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
    assert_eq!(namespace, &deployment["metadata"]["namespace"]);
    assert_eq!(to["podSelector"]["matchLabels"], deployment["spec"]["selector"]["matchLabels"]);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(port, &container["ports"][0]["containerPort"]);
    let config = fs::read_to_string(Built::root().join("envoy/explicit.yaml")).unwrap();
    assert!(config.contains(&format!("port_value: {port}")));
}
