//! Node packages, installed by the npm that comes with the tests' Node.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{OnProgress, once, step};

/// A package of the npm registry, in the one version that is used here.
pub(crate) struct NodePackage {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// Installs a package with what it needs into a folder of its version in `place`; the folder of the packages.
pub(crate) fn node_package(
    package: &NodePackage,
    node: &Path,
    place: &Path,
    on_progress: OnProgress,
) -> Result<PathBuf> {
    let name = format!("{}@{}", package.name, package.version);
    install(&[name], node, &place.join(package.version), on_progress)
}

/// Installs packages with what they need into `wanted`; the folder of the packages.
pub(crate) fn install(
    packages: &[String],
    node: &Path,
    wanted: &Path,
    on_progress: OnProgress,
) -> Result<PathBuf> {
    once(wanted, on_progress, || {
        let part = wanted.with_file_name("part");
        fs::create_dir_all(&part).with_context(|| part.display().to_string())?;
        let npm = node.with_file_name("../lib/node_modules/npm/bin/npm-cli.js");
        let mut install = Command::new(node);
        install.arg(npm).args(["install", "--ignore-scripts", "--no-audit", "--no-fund"]);
        install.arg("--prefix").arg(&part).args(packages);
        on_progress(&format!("installing {} from the npm registry", packages.join(", ")));
        step(&mut install, &wanted.with_file_name("install.log"), on_progress)?;
        fs::rename(&part, wanted).with_context(|| wanted.display().to_string())
    })?;
    Ok(wanted.join("node_modules"))
}
