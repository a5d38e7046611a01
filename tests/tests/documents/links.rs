//! Links between the pages, and to files.

use std::fs;
use std::path::Path;

use stack::built::Built;

use crate::blocks;

/// The targets of `[text](target)`, outside of blocks.
fn targets(text: &str) -> Vec<String> {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        inside ^= line.starts_with("```");
        !inside
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let rests = text.split("](").skip(1);
    rests.map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// The name GitHub gives to the place of a heading.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            heading.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Built::root();
    let mut followed = 0;
    for page in blocks::pages() {
        let text = fs::read_to_string(root.join(&page)).unwrap();
        for target in targets(&text).iter().filter(|target| !target.starts_with("http")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let leads = match file {
                "" => root.join(&page),
                file => root.join(page.parent().unwrap_or(Path::new(""))).join(file),
            };
            assert!(leads.exists(), "{}: {target}", page.display());
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&leads).unwrap());
                assert!(there.contains(&anchor.to_owned()), "{}: {target}", page.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 30, "the links are not found");
}

/// README.md is where everybody begins.
#[test]
fn the_readme_leads_to_every_page() {
    let root = Built::root();
    let targets = targets(&fs::read_to_string(root.join("README.md")).unwrap());
    for page in blocks::pages() {
        let page = page.display().to_string();
        let linked = targets.iter().any(|target| target.split('#').next() == Some(&page));
        assert!(linked || page == "README.md", "README.md does not name {page}");
    }
}
