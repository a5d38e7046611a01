//! Nobody writes a block that no test looks at.

use crate::blocks::{self, Block};
use crate::walks;

/// Commands that no test types as they stand, and what is done instead.
const EXCUSED: [(&str, &str); 11] = [
    ("cargo xtask test", "it is what runs this test"),
    ("cargo xtask dist", "minutes of building; shipping/release.rs makes a release, twice"),
    ("cargo xtask suffix-list", "fetches what is newest; lease/tests judge the list that is there"),
    ("(cd target/dist && sha256sum", "shipping/release.rs compares each sum"),
    ("skopeo copy", "shipping/release.rs pushes to a registry of its own, and pulls"),
    ("docker compose", "wants an engine; shipping/compose.rs and composed.rs run what is in it"),
    ("docker build", "wants an engine; shipping/compose.rs finds the targets"),
    ("kubectl -n leasehold exec", "wants a cluster; shipping/deploy.rs puts the same credential"),
    ("envoy -c explicit.yaml", "house.rs and every end-to-end test load the file"),
    ("host-sim test", "conformance plays every file of policies/cases on host-sim and on Envoy"),
    ("cargo xtask demo", "walks.rs runs it, for what README.md says it prints"),
];

/// What is done with a block of this kind; `None` for a kind that nobody looks at.
fn looked_at(block: &Block) -> Option<bool> {
    Some(match block.kind() {
        ("sh", "run" | "background") => walks::PAGES.contains(&block.page.as_str()),
        ("sh", "excused") => {
            let known =
                |command: &&str| EXCUSED.iter().any(|(known, _)| command.starts_with(known));
            block.commands().iter().all(known)
        }
        // loaded.rs
        ("yaml", "policy" | "cases") | ("text", "cases") | ("console", "host-sim") => true,
        // custody/tests/reference.rs
        ("yaml", "custody") => {
            ["docs/configuration.md", "docs/secret-managers.md"].contains(&block.page.as_str())
        }
        // custody/tests/recipes.rs
        ("yaml", "issuer") => block.page == "docs/issuers.md",
        // walks.rs
        ("text", "demo") => block.page == "README.md",
        // host-sim/tests/command_line.rs
        ("console", "") => block.page == "README.md",
        // What a run printed.
        ("text", "") => block.page == "BENCHMARKS.md",
        // Pictures, and an example of an answer; `rust` is of host-sim's own documentation.
        ("" | "http", "") => true,
        ("rust", "") => block.page == "host-sim/README.md",
        _ => return None,
    })
}

#[test]
fn every_block_is_one_that_a_test_looks_at() {
    let blocks = blocks::all();
    assert!(blocks.len() > 30, "the blocks are not found");
    for block in &blocks {
        let looked_at = looked_at(block);
        assert_eq!(looked_at, Some(true), "{}: {:?}", block.place(), block.kind());
    }
}

#[test]
fn every_excuse_is_needed() {
    let blocks = blocks::all();
    for (command, _) in EXCUSED {
        let excused = blocks.iter().filter(|block| block.kind() == ("sh", "excused"));
        let needed = excused.flat_map(Block::commands).any(|one| one.starts_with(command));
        assert!(needed, "no page has `{command}`");
    }
}
