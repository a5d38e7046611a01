//! Links between the pages, and to files.

use std::fs;
use std::path::Path;

use stack::built::Built;

use crate::blocks;

/// The targets of `[text](target)`, outside of blocks.
pub fn targets(text: &str) -> Vec<String> {
    let text = outside_of_blocks(text);
    let rests = text.split("](").skip(1);
    rests.map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

fn outside_of_blocks(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What stands between backticks and begins with a folder of ours, outside of blocks: `a/{b,c}.rs` as
/// both, `a/*.yaml` as `a`.
fn paths(text: &str, root: &Path) -> Vec<String> {
    let text = outside_of_blocks(text);
    let quoted = text.split('`').skip(1).step_by(2);
    let ours = quoted.filter(|path| {
        let (folder, _) = path.split_once('/').unwrap_or_default();
        !folder.is_empty() && folder != "target" && root.join(folder).is_dir()
    });
    ours.flat_map(|path| match path.split_once(['{', '}']) {
        Some((start, rest)) => {
            let (names, end) = rest.split_once('}').unwrap();
            names.split(',').map(|name| format!("{start}{name}{end}")).collect()
        }
        None => vec![path.split('*').next().unwrap().to_owned()],
    })
    .collect()
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

#[test]
fn every_path_that_a_page_names_is_there() {
    let root = Built::root();
    let mut named = 0;
    for page in blocks::pages() {
        let text = fs::read_to_string(root.join(&page)).unwrap();
        let beside = root.join(page.parent().unwrap_or(Path::new("")));
        for path in paths(&text, &root) {
            let is_there = root.join(&path).exists() || beside.join(&path).exists();
            assert!(is_there, "{}: {path}", page.display());
            named += 1;
        }
    }
    assert!(named > 60, "only {named} paths are found");
}
