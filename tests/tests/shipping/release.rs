//! `cargo xtask dist`: the same bytes wherever it is run, in the forms that others read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stack::built::Built;
use stack::registry::Registry;
use stack::schemas::Schemas;

use crate::schema;

const MODULE: &str = "leasehold_filter.wasm";

/// A release without its programs, which take minutes to build.
fn release(out: &Path, source: &Path) {
    let mut dist = Command::new(Built::find().unwrap().program("xtask").unwrap());
    dist.args(["dist", "--wasm-only", "--out"]).arg(out).arg("--source").arg(source);
    let output = dist.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `SHA256SUMS`, checked against the files.
fn sums(release: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(release.join("SHA256SUMS")).unwrap();
    let sums: BTreeMap<_, _> = text
        .lines()
        .map(|line| line.split_once("  ").unwrap())
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect();
    for (name, sum) in &sums {
        assert_eq!(&sha256(&fs::read(release.join(name)).unwrap()), sum, "{name}");
    }
    sums
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// This source tree once more, in another place, with a target folder of its own. It is kept, and
/// only what has changed is copied, so that only what has changed is built.
fn elsewhere() -> PathBuf {
    let elsewhere = Built::find().unwrap().target().join("elsewhere/a longer path/leasehold");
    copy(&Built::root(), &elsewhere);
    elsewhere
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let (from, to) = (entry.path(), to.join(&name));
        if ["target", ".git", "node_modules"].iter().any(|skipped| name == *skipped) {
            continue;
        }
        // The book's pages are links to pages that are copied where they are.
        if entry.file_type().unwrap().is_symlink() {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&from, &to);
        } else if fs::read(&from).unwrap() != fs::read(&to).unwrap_or_default() {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// One test, because everything in it needs a release, which takes a while to build.
#[test]
fn a_release_is_the_same_wherever_it_is_built_and_others_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
    release(&here, &Built::root());
    release(&there, &elsewhere());
    let digests = sums(&here);
    assert_eq!(digests, sums(&there));

    let module = fs::read(here.join(MODULE)).unwrap();
    the_module_names_no_place_of_this_machine(&module);
    stack::module::check(&module).unwrap_or_else(|error| panic!("{error:#}"));
    the_layout_is_what_istio_takes(&here.join("oci"), &module);
    a_registry_gives_back_what_was_pushed(&here.join("oci"), folder.path());
    the_bill_is_cyclonedx(&here, &digests[MODULE]);
}

fn the_module_names_no_place_of_this_machine(module: &[u8]) {
    let text = String::from_utf8_lossy(module);
    let root = Built::root();
    let home = std::env::home_dir().unwrap();
    for place in [root.as_path(), home.join(".cargo").as_path()] {
        assert!(!text.contains(place.to_str().unwrap()), "{}", place.display());
    }
}

/// As Istio's agent reads an artifact: exactly two layers, one of which is the module as it is.
fn the_layout_is_what_istio_takes(layout: &Path, module: &[u8]) {
    let index = schema::read(&layout.join("index.json"));
    let manifest = &index["manifests"][0];
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let bytes = fs::read(layout.join("blobs/sha256").join(digest)).unwrap();
        assert_eq!(sha256(&bytes), digest);
        assert_eq!(descriptor["size"], bytes.len());
        bytes
    };
    let manifest: Value = serde_json::from_slice(&blob(manifest)).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2, "{manifest:#}");
    let content = "application/vnd.module.wasm.content.layer.v1+wasm";
    let layer = layers.iter().find(|layer| layer["mediaType"] == content).unwrap();
    assert!(blob(layer) == module, "the layer is not the module");
    assert_eq!(blob(&manifest["config"]), b"{}");
}

fn a_registry_gives_back_what_was_pushed(layout: &Path, folder: &Path) {
    let registry = Registry::fetch(&|_| {}).unwrap().start(folder).unwrap();
    let tag = env!("CARGO_PKG_VERSION");
    registry.push(layout, "leasehold/filter", tag).unwrap();
    let pulled = folder.join("pulled");
    registry.pull("leasehold/filter", tag, &pulled).unwrap();
    let digest =
        |layout: &Path| schema::read(&layout.join("index.json"))["manifests"][0]["digest"].clone();
    assert_eq!(digest(layout), digest(&pulled));
    let blobs = |layout: &Path| {
        let blobs = layout.join("blobs/sha256").read_dir().unwrap();
        let blobs = blobs.map(|blob| blob.unwrap().path());
        let blobs =
            blobs.map(|blob| (blob.file_name().unwrap().to_owned(), fs::read(blob).unwrap()));
        blobs.collect::<BTreeMap<_, _>>()
    };
    assert!(blobs(layout) == blobs(&pulled), "the blobs differ");
    assert!(registry.pull("leasehold/filter", "9.9.9", &folder.join("none")).is_err());
}

fn the_bill_is_cyclonedx(release: &Path, digest: &str) {
    let schemas = Schemas::fetch(&|_| {}).unwrap().cyclonedx;
    let file = |name: &str| schema::read(&schemas.join(format!("{name}.SNAPSHOT.schema.json")));
    let bom = file("bom-1.6");
    let others = ["spdx", "jsf-0.82", "cryptography-defs"].map(|name| {
        (format!("http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json"), file(name))
    });
    let mut bill = schema::read(&release.join("leasehold.cdx.json"));
    assert_eq!(schema::faults(&bom, &others, &bill), [""; 0]);

    let components = bill["components"].as_array().unwrap();
    let module = components.iter().find(|component| component["name"] == MODULE).unwrap();
    assert_eq!(module["hashes"][0], json!({"alg": "SHA-256", "content": digest}));
    for name in ["edge", "proxy-wasm", "jwt-simple"] {
        assert!(components.iter().any(|component| component["name"] == name), "no {name}");
    }
    for name in ["tokio", "custody", "tempfile"] {
        assert!(!components.iter().any(|component| component["name"] == name), "{name}");
    }
    for component in components {
        let ours = component["type"] == "file" || component.get("purl").is_none();
        assert!(ours || component.get("hashes").is_some(), "{component}");
        assert!(component["type"] == "file" || component.get("licenses").is_some(), "{component}");
    }
    bill["components"][0]["type"] = json!("spaceship");
    assert!(!schema::faults(&bom, &others, &bill).is_empty(), "the schema lets everything pass");
}
