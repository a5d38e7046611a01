//! `cargo xtask dist`: everything of a release, in one folder, the same bytes each time.
//!
//! What would make two builds differ is taken out: paths of the machine are renamed, the lock file
//! is binding, nothing holds a date. What Envoy need not call, the filter does not export; that it is so is checked.

mod build;
mod layout;
mod sbom;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use stack::built::Built;
use stack::module;
use stack::progress::Progress;

use crate::schema;
use build::{MODULE, Source};
use sbom::{Artefact, Sbom, digest};

const SUMS: &str = "SHA256SUMS";
/// Where a release is put unless it is said otherwise, in the target folder.
const FOLDER: &str = "dist";

#[derive(Args)]
pub struct Dist {
    /// The module, its OCI layout and what belongs to them, without the programs: a minute, no C compiler
    #[arg(long)]
    wasm_only: bool,
    /// Where the release is put; what it holds is replaced [default: target/dist]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Builds this source tree instead of the one this command was built from
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
}

/// A file of the release.
struct Shipped {
    name: String,
    size: usize,
    digest: String,
}

// === impl Dist ===

impl Dist {
    pub fn run(self) -> Result<ExitCode> {
        let source = match &self.source {
            Some(path) => Source::at(path)?,
            None => Source::at(&Built::root())?,
        };
        let out = match &self.out {
            Some(path) => std::path::absolute(path)?,
            None => Built::find()?.target().join(FOLDER),
        };
        let mut progress = Progress::new(if self.wasm_only { 3 } else { 4 });
        empty(&out)?;
        let mut artefacts = vec![self.module(&source, &out, &mut progress)?];
        if !self.wasm_only {
            artefacts.extend(programs(&source, &out, &mut progress)?);
        }
        let step = progress.step("writing the bill of materials, the schema and the digests");
        let sbom = Sbom::of(&source, &artefacts)?;
        write(&out.join("leasehold.cdx.json"), sbom.json()?.as_bytes())?;
        write(&out.join("leasehold.schema.json"), schema::generated()?.as_bytes())?;
        fs::copy(source.root().join("LICENSE"), out.join("LICENSE")).context("LICENSE")?;
        let shipped = sums(&out)?;
        step.finish();
        print!("{}", told(&out, &shipped));
        Ok(ExitCode::SUCCESS)
    }

    fn module(&self, source: &Source, out: &Path, progress: &mut Progress) -> Result<Artefact> {
        let built = source.build_module(progress)?;
        let step = progress.step("checking the module, laying it out for registries");
        let bytes = fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
        module::check(&bytes)?;
        write(&out.join(MODULE), &bytes)?;
        layout::write(&out.join("oci"), &bytes, source.version())?;
        step.finish();
        Ok(Artefact::module("filter", MODULE, &bytes))
    }
}

fn programs(source: &Source, out: &Path, progress: &mut Progress) -> Result<Vec<Artefact>> {
    let folder = out.join(build::host_target());
    fs::create_dir_all(&folder)?;
    let mut artefacts = Vec::new();
    for (name, path) in source.build_programs(progress)? {
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        fs::copy(&path, folder.join(name)).with_context(|| format!("copying {name}"))?;
        artefacts.push(Artefact::program(name, &bytes));
    }
    Ok(artefacts)
}

/// An empty folder, which held a release or nothing: nobody's own files are taken away.
fn empty(folder: &Path) -> Result<()> {
    let unknown = || format!("{} is not a release: name an empty folder", folder.display());
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        if !folder.join(SUMS).is_file() {
            bail!(unknown());
        }
        fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    // First, so that a release that was cut short is known as one.
    write(&folder.join(SUMS), b"")
}

/// Writes `SHA256SUMS` (for `sha256sum --check`) over everything else in the folder.
fn sums(folder: &Path) -> Result<Vec<Shipped>> {
    let mut names = Vec::new();
    list(folder, "", &mut names)?;
    names.retain(|name| name != SUMS);
    names.sort();
    let mut shipped = Vec::new();
    let mut text = String::new();
    for name in names {
        let bytes = fs::read(folder.join(&name))?;
        let digest = digest(&bytes);
        writeln!(text, "{digest}  {name}")?;
        shipped.push(Shipped { name, size: bytes.len(), digest });
    }
    write(&folder.join(SUMS), text.as_bytes())?;
    Ok(shipped)
}

fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

fn told(out: &Path, shipped: &[Shipped]) -> String {
    let mut text = format!("{}\n", out.display());
    for Shipped { name, size, digest } in
        shipped.iter().filter(|file| !file.name.contains("blobs/"))
    {
        let _ = writeln!(text, "  {name:<44} {size:>10}  sha256:{digest}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_no_release_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("thesis.tex");
        fs::write(&own, "mine").unwrap();
        assert!(empty(folder.path()).unwrap_err().to_string().contains("is not a release"));
        assert!(own.is_file());
    }

    #[test]
    fn sums_are_of_everything_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        empty(folder.path()).unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/c"), "").unwrap();
        fs::write(folder.path().join("a"), "abc").unwrap();
        sums(folder.path()).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = fs::read_to_string(folder.path().join(SUMS)).unwrap();
        assert_eq!(text, format!("{abc}  a\n{nothing}  b/c\n"));
        empty(folder.path()).unwrap();
        assert!(!folder.path().join("a").exists());
    }
}
