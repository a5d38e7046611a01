//! The software bill of materials, CycloneDX 1.6: what is linked into each file of a release.
//!
//! Cargo itself is asked (`cargo tree`, by package, target and feature, as it builds), so crates that
//! only build or test something are not in it, nor are macros, which leave no code of their own.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::build::{Source, host_target};
use crate::cargo::{self, WASM};

/// One file of the release, and the package it is built from.
pub struct Artefact {
    package: &'static str,
    file: String,
    digest: String,
    target: String,
}

/// Which crates are in which artefact, and who needs whom.
pub struct Sbom {
    version: String,
    artefacts: Vec<Value>,
    crates: BTreeMap<Crate, Value>,
    needs: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
}

/// The part of Cargo.lock that is wanted here.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// A line of `cargo tree --prefix depth`.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    depth: usize,
    name: &'a str,
    version: &'a str,
    licence: &'a str,
}

// === impl Artefact ===

impl Artefact {
    pub fn module(package: &'static str, file: &str, bytes: &[u8]) -> Self {
        let (file, digest) = (file.to_owned(), digest(bytes));
        Self { package, file, digest, target: WASM.to_owned() }
    }

    pub fn program(package: &'static str, bytes: &[u8]) -> Self {
        let (target, digest) = (host_target(), digest(bytes));
        Self { package, file: format!("{target}/{package}"), digest, target }
    }
}

// === impl Sbom ===

impl Sbom {
    /// # Errors
    /// Cargo does not tell, or tells in another form than is read here.
    pub fn of(source: &Source, artefacts: &[Artefact]) -> Result<Self> {
        let lock = std::fs::read_to_string(source.root().join("Cargo.lock"))?;
        let lock: Lock = toml::from_str(&lock).context("Cargo.lock")?;
        let mut checksums = BTreeMap::new();
        for Locked { name, version, checksum } in lock.package {
            checksums.insert(Crate { name, version }, checksum);
        }
        let mut sbom = Self {
            version: source.version().to_owned(),
            artefacts: Vec::new(),
            crates: BTreeMap::new(),
            needs: BTreeMap::new(),
        };
        for artefact in artefacts {
            sbom.add(artefact, &tree(source, artefact)?, &checksums)?;
        }
        Ok(sbom)
    }

    fn add(
        &mut self,
        artefact: &Artefact,
        tree: &str,
        checksums: &BTreeMap<Crate, Option<String>>,
    ) -> Result<()> {
        let own = format!("file:{}", artefact.file);
        let hashes = json!([{"alg": "SHA-256", "content": artefact.digest}]);
        self.artefacts.push(json!({
            "type": "file", "bom-ref": own, "name": artefact.file, "version": self.version,
            "hashes": hashes,
        }));
        // The crates on the way from the root to the line before.
        let mut path: Vec<String> = Vec::new();
        for line in tree.lines() {
            let line = Line::read(line).with_context(|| format!("cargo tree says `{line}`"))?;
            let found = Crate { name: line.name.to_owned(), version: line.version.to_owned() };
            let reference = found.reference();
            path.truncate(line.depth);
            let needing = path.last().unwrap_or(&own);
            self.needs.entry(needing.clone()).or_default().insert(reference.clone());
            self.needs.entry(reference.clone()).or_default();
            path.push(reference);
            let checksum = checksums.get(&found).with_context(|| found.reference())?;
            let component = found.component(line.licence, checksum.as_deref());
            self.crates.insert(found, component);
        }
        Ok(())
    }

    /// The bill as text, the same for the same release.
    ///
    /// # Errors
    /// None that could be thought of; JSON's own.
    pub fn json(&self) -> Result<String> {
        let components: Vec<_> = self.artefacts.iter().chain(self.crates.values()).collect();
        let dependencies: Vec<_> = self
            .needs
            .iter()
            .map(|(reference, needs)| json!({"ref": reference, "dependsOn": needs}))
            .collect();
        let sbom = json!({
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "application", "bom-ref": "leasehold", "name": "leasehold",
                    "version": self.version, "licenses": [{"expression": "Apache-2.0"}],
                },
            },
            "components": components,
            "dependencies": dependencies,
        });
        Ok(serde_json::to_string_pretty(&sbom)? + "\n")
    }
}

// === impl Crate ===

impl Crate {
    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }

    /// `checksum` is that of the crate as it was downloaded; our own have none.
    fn component(&self, licence: &str, checksum: Option<&str>) -> Value {
        let reference = self.reference();
        let mut component = json!({
            "type": "library", "bom-ref": reference, "name": self.name, "version": self.version,
        });
        let Some(fields) = component.as_object_mut() else { return component };
        if !licence.is_empty() {
            // Before SPDX expressions, Cargo wrote alternatives with a slash.
            let expression = licence.replace(" / ", "/").replace('/', " OR ");
            fields.insert("licenses".to_owned(), json!([{"expression": expression}]));
        }
        if let Some(checksum) = checksum {
            let hashes = json!([{"alg": "SHA-256", "content": checksum}]);
            fields.insert("hashes".to_owned(), hashes);
            fields.insert("purl".to_owned(), json!(reference));
        }
        component
    }
}

// === impl Line ===

impl<'a> Line<'a> {
    /// `2serde v1.0.228|MIT OR Apache-2.0`; our own carry a path, and what was told before a `(*)`.
    fn read(line: &'a str) -> Option<Self> {
        let (package, licence) = line.split_once('|')?;
        let licence = licence.trim_end_matches(" (*)");
        let name = package.trim_start_matches(|first: char| first.is_ascii_digit());
        let depth = package.strip_suffix(name)?.parse().ok()?;
        let mut words = name.split(' ');
        let name = words.next()?;
        let version = words.next()?.strip_prefix('v')?;
        Some(Self { depth, name, version, licence })
    }
}

fn tree(source: &Source, artefact: &Artefact) -> Result<String> {
    let wanted = ["tree", "--locked", "-p", artefact.package, "--target", &artefact.target];
    let form = ["-e", "normal,no-proc-macro", "--prefix", "depth", "--format", "{p}|{l}"];
    let mut command = cargo::cargo(&[&wanted[..], &form[..]].concat());
    let output = command.current_dir(source.root()).output().context("cargo tree")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("what cargo tree says")
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0custody v0.1.0 (/src/custody)|Apache-2.0
1ring v0.17.14|Apache-2.0 AND ISC
2cfg-if v1.0.4|MIT/Apache-2.0
1cfg-if v1.0.4|MIT/Apache-2.0 (*)
";

    #[test]
    fn the_depths_of_a_tree_are_who_needs_whom() {
        let lines = [
            ("custody", "0.1.0", None),
            ("ring", "0.17.14", Some("aa")),
            ("cfg-if", "1.0.4", Some("bb")),
        ];
        let checksums = lines
            .map(|(name, version, sum)| {
                let found = Crate { name: name.to_owned(), version: version.to_owned() };
                (found, sum.map(str::to_owned))
            })
            .into();
        let mut sbom = Sbom {
            version: "0.1.0".to_owned(),
            artefacts: Vec::new(),
            crates: BTreeMap::new(),
            needs: BTreeMap::new(),
        };
        sbom.add(&Artefact::program("custody", b""), TREE, &checksums).unwrap();
        let needs = |name: &str| sbom.needs.get(name).unwrap().iter().cloned().collect::<Vec<_>>();
        assert_eq!(
            needs("pkg:cargo/custody@0.1.0"),
            ["pkg:cargo/cfg-if@1.0.4", "pkg:cargo/ring@0.17.14"]
        );
        assert_eq!(needs("pkg:cargo/ring@0.17.14"), ["pkg:cargo/cfg-if@1.0.4"]);
        assert_eq!(needs("pkg:cargo/cfg-if@1.0.4"), [""; 0]);
        let text = sbom.json().unwrap();
        assert!(text.contains("\"MIT OR Apache-2.0\"") && text.contains("\"bb\""), "{text}");
    }

    #[test]
    fn a_crate_that_is_not_locked_is_an_error() {
        let mut sbom = Sbom {
            version: String::new(),
            artefacts: Vec::new(),
            crates: BTreeMap::new(),
            needs: BTreeMap::new(),
        };
        let added = sbom.add(&Artefact::program("custody", b""), TREE, &BTreeMap::new());
        assert_eq!(added.unwrap_err().to_string(), "pkg:cargo/custody@0.1.0");
    }
}
