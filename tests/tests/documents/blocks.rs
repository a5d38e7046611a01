//! The fenced blocks of what is written for people. Behind a block's language stands what a test does
//! with it, where a reader of the page does not see it: ```` ```sh run ````.

use std::fs;
use std::path::{Path, PathBuf};

use stack::built::Built;

/// Pages outside of `docs/`.
const PAGES: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "envoy/README.md",
    "envoy/istio/README.md",
    "deploy/kustomize/README.md",
    "host-sim/README.md",
    "policies/README.md",
];

#[derive(Clone, Debug)]
pub struct Block {
    /// From the root of the source tree.
    pub page: String,
    /// Of its fence, from 1.
    pub line: usize,
    pub language: String,
    /// What the test does with it; empty if nothing is said.
    pub what: String,
    pub text: String,
}

/// Every page, from the root of the source tree.
pub fn pages() -> Vec<PathBuf> {
    let mut pages = below(Path::new("docs"));
    pages.extend(PAGES.map(PathBuf::from));
    pages.sort();
    pages
}

/// Every page in this folder and the folders in it.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(Built::root().join(folder)).unwrap();
    let pages = entries.map(|entry| entry.unwrap()).flat_map(|entry| {
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() { below(&path) } else { vec![path] }
    });
    pages.collect()
}

pub fn all() -> Vec<Block> {
    pages().iter().flat_map(|page| of(page)).collect()
}

/// The blocks of one page; one that is not fenced off at its end is an error.
pub fn of(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(Built::root().join(page)).unwrap();
    let page = page.display().to_string();
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), inside) {
            (Some(info), false) => {
                let (language, what) = info.split_once(' ').unwrap_or((info, ""));
                let (language, what) = (language.to_owned(), what.to_owned());
                let (page, text) = (page.clone(), String::new());
                blocks.push(Block { page, line: at + 1, language, what, text });
                inside = true;
            }
            (Some(_), true) => inside = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!inside, "{page}: a block without an end");
    blocks
}

// === impl Block ===

impl Block {
    pub fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }

    pub fn kind(&self) -> (&str, &str) {
        (&self.language, &self.what)
    }

    /// The first words of its commands: without comments, and of a command over several lines the
    /// first.
    pub fn commands(&self) -> Vec<&str> {
        let mut continued = false;
        let lines = self.text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .filter(|line| {
                let first = !continued && !line.starts_with('#');
                continued = line.ends_with('\\');
                first
            })
            .collect()
    }
}
