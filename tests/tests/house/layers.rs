//! The rules inside a crate: no files that import each other in a circle, and no import that runs up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stack::built::Built;

use crate::imports::Imports;

/// The layers of a crate, from the top down. A file imports its own layer and the layers below it.
///
/// `->` divides layers, `|` parts of one layer that do not import each other, `,` modules of one part.
/// A module is named by its path; the longest path that fits a file says where the file belongs.
struct Layers {
    package: &'static str,
    order: &'static str,
    /// Modules that only the modules named may import.
    only: &'static [(&'static str, &'static [&'static str])],
}

const LAYERS: [Layers; 3] = [
    Layers {
        package: "edge",
        order: "exchange | compile -> trust_edge -> state -> policy -> \
                config | request, headers, ids, clock, rng, digest, fifo_map",
        only: &[("config", &["compile"])],
    },
    Layers {
        package: "host-sim",
        order: "cli -> cases -> connections | builder | reload | trace -> chain -> host -> \
                exchange | abi -> outcome | vm -> simulation -> events | transcript | faults -> \
                strict -> stream -> request -> script -> message -> \
                module | properties -> attributes | shared | stats -> \
                headers, pairs, protobuf, clock, error, limits, status",
        only: &[],
    },
    Layers {
        package: "custody",
        order: "cli -> server -> init | config | openapi | http -> leasing | workers | admin -> \
                vault | failures | feed | keys -> \
                grants | limits | notify | housekeeping | bulk_revocation | hardening -> \
                api | metrics",
        only: &[("config", &["cli", "server"])],
    },
];

#[test]
fn files_of_a_crate_do_not_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for (package, roots) in packages() {
        for root in roots {
            circles.extend(imports(&package, &root).circles());
        }
    }
    assert!(circles.is_empty(), "circles of imports:\n{}", circles.join("\n"));
}

#[test]
fn imports_run_from_a_layer_to_the_layers_below_it() {
    let packages = packages();
    for layers in &LAYERS {
        let library = Path::new("lib.rs");
        let root = packages[layers.package].iter().find(|root| root.ends_with(library)).unwrap();
        let faults = faults(&imports(layers.package, root), layers);
        assert!(faults.is_empty(), "imports of {}:\n{}", layers.package, faults.join("\n"));
    }
}

/// Our packages, with the roots of their libraries and programs.
fn packages() -> BTreeMap<String, Vec<PathBuf>> {
    let packages = crate::package_folders().into_iter();
    let roots = packages.map(|(package, folder)| {
        let sources = folder.join("src");
        let roots = ["lib.rs", "main.rs"].map(|root| sources.join(root));
        (package, roots.into_iter().filter(|root| root.is_file()).collect::<Vec<_>>())
    });
    roots.inspect(|(package, roots)| assert!(!roots.is_empty(), "{package}")).collect()
}

fn imports(package: &str, root: &Path) -> Imports {
    let imports = Imports::read(root, &Built::root());
    let folder = root.parent().unwrap();
    let files = crate::sources(folder).len();
    // A program that lies beside a library has few files of its own.
    let is_whole = root.ends_with("lib.rs") || !folder.join("lib.rs").is_file();
    let found = imports.files.len();
    assert!(!is_whole || found + 12 >= files, "{package}: {found} of {files} files are read");
    imports
}

/// What breaks the rules of `layers`.
fn faults(imports: &Imports, layers: &Layers) -> Vec<String> {
    let places = places(layers.order);
    let place = |path: &str| {
        let is_of = |module: &&Place| is_within(path, module.module);
        // The longest path says it.
        places.iter().filter(is_of).max_by_key(|place| place.module.len())
    };
    let mut faults = Vec::new();
    for (file, path) in &imports.files {
        let Some(own) = place(path).filter(|_| !path.is_empty()) else {
            if !path.is_empty() {
                faults.push(format!("{file} is in no layer"));
            }
            continue;
        };
        for other in &imports.arrows[file] {
            let other_path = imports.files[other].as_str();
            let arrow = format!("{file} -> {other}");
            match place(other_path) {
                _ if other_path.is_empty() => faults.push(format!("{arrow}, the crate's root")),
                Some(other) if other.layer < own.layer => {
                    faults.push(format!("{arrow}, from `{}` up to `{}`", own.module, other.module));
                }
                Some(other) if other.layer == own.layer && other.part != own.part => {
                    faults
                        .push(format!("{arrow}, from `{}` over to `{}`", own.module, other.module));
                }
                // One that is in no layer is told for itself.
                _ => {}
            }
            for (module, importers) in layers.only {
                let is_allowed = importers.iter().chain([module]).any(|own| is_within(path, own));
                if is_within(other_path, module) && !is_allowed {
                    faults.push(format!("{arrow}: only {} may", importers.join(", ")));
                }
            }
        }
    }
    faults
}

/// Where a module belongs.
struct Place {
    module: &'static str,
    layer: usize,
    part: usize,
}

fn places(order: &'static str) -> Vec<Place> {
    let layers = order.split("->").enumerate();
    let parts =
        layers.flat_map(|(layer, text)| text.split('|').enumerate().map(move |part| (layer, part)));
    let modules = parts.flat_map(|(layer, (part, text))| {
        text.split(',').map(move |module| Place { module: module.trim(), layer, part })
    });
    modules.collect()
}

fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The imports of these made-up files.
fn made_up(files: &[(&str, &str)]) -> Imports {
    let files: BTreeMap<_, _> = files.iter().map(|(name, text)| (*name, *text)).collect();
    Imports::of(Path::new("lib.rs"), Path::new(""), &|file| {
        files.get(file.to_str().unwrap()).map(|text| (*text).to_owned())
    })
}

#[test]
fn a_circle_is_found_and_printed() {
    let imports = made_up(&[
        ("lib.rs", "mod a; mod b; mod c; pub use b::B;"),
        ("a.rs", "use crate::B; pub struct A(B);"),
        ("b.rs", "mod inner; pub struct B; fn f() { inner::g(super::c::C { x: 1 }) }"),
        ("b/inner.rs", "pub fn g(_: crate::c::C) {}"),
        ("c.rs", "use crate::{a::{self, A as Other}}; pub struct C { x: u8 }"),
    ]);
    assert_eq!(imports.circles(), ["a.rs -> b.rs -> c.rs -> a.rs"]);
}

#[test]
fn a_parent_that_re_exports_its_children_does_not_import_them() {
    let child = ("a/b.rs", "use super::Own; pub struct B(Own);");
    let facade = "mod b; pub use b::B; pub struct Own;";
    let imports = made_up(&[("lib.rs", "mod a;"), ("a.rs", facade), child]);
    assert_eq!(imports.circles(), [""; 0]);
    let user = "mod b; pub use b::B; pub struct Own; fn f(_: B) {}";
    let imports = made_up(&[("lib.rs", "mod a;"), ("a.rs", user), child]);
    assert_eq!(imports.circles(), ["a.rs -> a/b.rs -> a.rs"]);
}

#[test]
fn code_of_tests_and_comments_import_nothing() {
    let imports = made_up(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B;"),
        (
            "b.rs",
            "//! See crate::a.\n#[cfg(test)] use crate::a;\n#[cfg(test)] mod tests { use crate::a; }",
        ),
    ]);
    assert_eq!(imports.circles(), [""; 0]);
}

#[test]
fn an_import_that_runs_up_or_over_is_found() {
    let imports = made_up(&[
        ("lib.rs", "mod top; mod left; mod right; mod bottom; mod secret; mod lost; pub struct R;"),
        ("top.rs", "use crate::left::L; use crate::secret::S;"),
        ("left.rs", "mod low; use crate::right::X; pub struct L;"),
        ("left/low.rs", "use super::L;"),
        ("right.rs", "use crate::secret::S; pub struct X;"),
        ("bottom.rs", "use crate::{R, top};"),
        ("secret.rs", "pub struct S;"),
        ("lost.rs", ""),
    ]);
    let only: &[(&str, &[&str])] = &[("secret", &["top"])];
    let order = "top -> left | right -> bottom, left::low, secret";
    let mut faults = faults(&imports, &Layers { package: "", order, only });
    faults.sort();
    assert_eq!(
        faults,
        [
            "bottom.rs -> lib.rs, the crate's root",
            "bottom.rs -> top.rs, from `bottom` up to `top`",
            "left.rs -> right.rs, from `left` over to `right`",
            "left/low.rs -> left.rs, from `left::low` up to `left`",
            "lost.rs is in no layer",
            "right.rs -> secret.rs: only top may",
        ]
    );
}
