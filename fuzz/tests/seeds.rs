//! The inputs that were written by hand, and those that the fuzzer found worth keeping.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|_| panic!("{}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_seed_satisfies_its_property() {
    for (target, check) in fuzz::TARGETS {
        let seeds = folder("seeds").join(target);
        let names = names(&seeds);
        assert!(names.len() >= 3, "{target} has only {} seeds", names.len());
        for name in names {
            eprintln!("{target}/{name}");
            check(&fs::read(seeds.join(name)).unwrap());
        }
    }
}

#[test]
fn every_target_has_a_program_and_seeds() {
    let expected: BTreeSet<_> = fuzz::TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(names(&folder("seeds")), expected);
    let programs = names(&folder("fuzz_targets"));
    let programs: BTreeSet<_> =
        programs.iter().map(|file| file.strip_suffix(".rs").unwrap().to_owned()).collect();
    assert_eq!(programs, expected);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in expected {
        let bin =
            format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\nrequired-features");
        assert!(manifest.contains(&bin), "Cargo.toml has no {name}");
    }
}
