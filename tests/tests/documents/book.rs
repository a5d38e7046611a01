//! The index of the documents, and the book that mdbook makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use stack::built::Built;
use stack::dev_tools::DevTool;
use tests::namespace::succeeded;

use crate::blocks;
use crate::links::targets;

/// The table of contents of the book. The folder beside it links into the source tree.
const SUMMARY: &str = "site/src/SUMMARY.md";

/// The pages that `index` links to, from the root of the source tree.
fn linked(index: &str, base: &Path) -> BTreeSet<PathBuf> {
    let text = fs::read_to_string(Built::root().join(index)).unwrap();
    let pages = targets(&text).into_iter().filter(|target| !target.starts_with("http"));
    pages
        .map(|target| {
            let page = base.join(target.split('#').next().unwrap());
            page.canonicalize().unwrap_or_else(|_| panic!("{index}: {target} is missing"))
        })
        .collect()
}

/// The folders in which an index lists the others.
const INDEXES: [(&str, &str); 2] = [("docs/README.md", "docs"), ("docs/adr/README.md", "docs/adr")];

#[test]
fn every_page_is_in_the_index() {
    let root = Built::root();
    let indexes = INDEXES.iter().flat_map(|(index, folder)| linked(index, &root.join(folder)));
    let indexed: BTreeSet<_> = indexes.collect();
    for page in blocks::pages().iter().filter(|page| *page != Path::new("docs/README.md")) {
        let is_indexed = indexed.contains(&root.join(page).canonicalize().unwrap());
        assert!(is_indexed, "docs/README.md does not list {}", page.display());
    }
    let readme = linked("README.md", &root);
    assert!(readme.contains(&root.join("docs/README.md").canonicalize().unwrap()));
}

#[test]
fn every_page_is_in_the_book() {
    let root = Built::root();
    let pages = blocks::pages();
    let pages: BTreeSet<_> =
        pages.iter().map(|page| root.join(page).canonicalize().unwrap()).collect();
    let summary = linked(SUMMARY, &root.join("site/src"));
    let differing: Vec<_> = summary.symmetric_difference(&pages).collect();
    assert!(differing.is_empty(), "only one of {SUMMARY} and the documents has {differing:?}");
}

/// The pages below `folder` that mdbook wrote.
fn written(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pages = entries.flat_map(|path| match path.is_dir() {
        true => written(&path),
        false => vec![path],
    });
    pages.filter(|page| page.extension().is_some_and(|end| end == "html")).collect()
}

#[test]
fn the_book_builds_and_every_link_in_it_leads_somewhere() {
    let out = tempfile::tempdir().unwrap();
    let mdbook = DevTool::Mdbook.locate_or_fetch(&|_| {}).unwrap();
    let mut build = mdbook.command(&Built::root());
    succeeded(build.args(["build", "site", "--dest-dir"]).arg(out.path()));
    let mut followed = 0;
    for page in written(out.path()) {
        // One page of everything, with the links of pages in other folders.
        if page.ends_with("print.html") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        let main = text.split("<main>").nth(1).unwrap_or_default();
        let main = main.split("</main>").next().unwrap();
        for target in main.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.starts_with("http") {
                continue;
            }
            let leads = page.parent().unwrap().join(file);
            assert!(leads.exists(), "{}: {target}", page.display());
            followed += 1;
        }
    }
    assert!(followed > 100, "only {followed} links are found");
}
