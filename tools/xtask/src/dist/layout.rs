//! The module as an OCI artifact, in a folder that any registry client can push.
//!
//! The form is the one Istio's agent takes (the Wasm image specification's "oci" variant): exactly
//! two layers, the module itself, uncompressed, as [`CONTENT`], and a note about its runtime as
//! [`RUNTIME`]. Sources: OCI image-spec 1.1, `image-layout.md` and `manifest.md`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::build::MODULE;
use super::sbom::digest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONTENT: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const RUNTIME: &str = "application/vnd.module.wasm.config.v1+json";
/// An artifact has nothing to say in an image's configuration.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// A folder of blobs, each under its digest.
struct Blobs<'a> {
    folder: &'a Path,
}

/// Lays `module` out in `folder`, tagged with `version`.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, module: &[u8], version: &str) -> Result<()> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).with_context(|| format!("making {}", blobs.display()))?;
    let blobs = Blobs { folder: &blobs };
    let runtime = json!({"type": "envoy_proxy", "abiVersions": ["v0.2.1"], "config": {}});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": RUNTIME,
        "config": blobs.put(EMPTY, b"{}")?,
        "layers": [
            titled(blobs.put(RUNTIME, runtime.to_string().as_bytes())?, "runtime-config.json"),
            titled(blobs.put(CONTENT, module)?, MODULE),
        ],
        "annotations": {
            "org.opencontainers.image.title": "Leasehold",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.licenses": "Apache-2.0",
        },
    });
    let mut manifest = blobs.put(MANIFEST, manifest.to_string().as_bytes())?;
    annotate(&mut manifest, "org.opencontainers.image.ref.name", version);
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]});
    fs::write(folder.join("index.json"), index.to_string()).context("index.json")?;
    let layout = json!({"imageLayoutVersion": "1.0.0"});
    fs::write(folder.join("oci-layout"), layout.to_string()).context("oci-layout")
}

fn titled(mut descriptor: Value, title: &str) -> Value {
    annotate(&mut descriptor, "org.opencontainers.image.title", title);
    descriptor
}

fn annotate(descriptor: &mut Value, name: &str, value: &str) {
    if let Some(fields) = descriptor.as_object_mut() {
        fields.insert("annotations".to_owned(), json!({name: value}));
    }
}

// === impl Blobs ===

impl Blobs<'_> {
    /// Stores a blob; its descriptor.
    fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Value> {
        let digest = digest(bytes);
        fs::write(self.folder.join(&digest), bytes).with_context(|| format!("blob {digest}"))?;
        let digest = format!("sha256:{digest}");
        Ok(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}))
    }
}
