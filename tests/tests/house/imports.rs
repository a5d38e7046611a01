//! Which file of a crate imports which: read from the code's own paths, without building it.
//!
//! A file imports another if it names something of it through a path: in a `use`, or in the middle of
//! the code (`super::call::Out`). A name that passes through a `pub use` counts for the file that defines it.
//! A parent that only re-exports its children does not import them. Code of `#[cfg(test)]` does not count.

use crate::tokens::{Token, tokens};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// The files of one crate target, and the imports between them.
#[derive(Debug, Default)]
pub struct Imports {
    /// The module path of each file: `exchange::await_body`; empty for the root.
    pub files: BTreeMap<String, String>,
    /// Each file with those that it imports.
    pub arrows: BTreeMap<String, BTreeSet<String>>,
}

/// One module's file, read.
#[derive(Debug, Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    /// Names that `use` declarations bind, with what they mean.
    bound: BTreeMap<String, Segments>,
    /// Modules whose names are all bound, by `use x::*`.
    globs: Vec<Segments>,
    /// What the code names, `pub use` of its own children aside.
    named: BTreeSet<Segments>,
}

type Segments = Vec<String>;

/// One leaf of a `use` declaration.
struct Leaf {
    path: Segments,
    /// `*` for a glob.
    name: String,
    is_public: bool,
}

// === impl Imports ===

impl Imports {
    /// Reads the target whose root is this file. Names of files begin behind `base`.
    pub fn read(root: &Path, base: &Path) -> Self {
        Self::of(root, base, &|file| fs::read_to_string(file).ok())
    }

    /// The same, from texts that `load` has.
    pub fn of(root: &Path, base: &Path, load: &dyn Fn(&Path) -> Option<String>) -> Self {
        let name = |file: &Path| file.strip_prefix(base).unwrap_or(file).display().to_string();
        let mut modules = BTreeMap::new();
        let folder = root.parent().unwrap_or(root).to_owned();
        let mut open = vec![(Segments::new(), root.to_owned(), folder)];
        while let Some((path, file, folder)) = open.pop() {
            let text = load(&file).unwrap_or_else(|| panic!("{} cannot be read", file.display()));
            let module = Module::read(&text, name(&file), &path);
            for child in &module.children {
                let child_path = joined(&path, child);
                open.push((child_path, folder.join(format!("{child}.rs")), folder.join(child)));
            }
            modules.insert(path, module);
        }
        let mut imports = Self::default();
        for (path, module) in &modules {
            let found = module.named.iter().filter_map(|named| defined_in(&modules, named, 0));
            let others = found.filter(|file| *file != module.file).collect();
            imports.arrows.insert(module.file.clone(), others);
            imports.files.insert(module.file.clone(), path.join("::"));
        }
        imports
    }

    /// The shortest circle of each knot of files that import each other: `a.rs -> b.rs -> a.rs`.
    pub fn circles(&self) -> Vec<String> {
        let mut circles: Vec<Vec<&str>> = Vec::new();
        let mut seen = BTreeSet::new();
        for file in self.arrows.keys() {
            if seen.contains(file.as_str()) {
                continue;
            }
            let Some(circle) = self.circle_through(file) else { continue };
            let reached = self.reached_from(file);
            let knot =
                reached.into_iter().filter(|other| self.reached_from(other).contains(&**file));
            seen.extend(knot);
            circles.push(circle);
        }
        circles.into_iter().map(|circle| circle.join(" -> ")).collect()
    }

    fn circle_through<'a>(&'a self, file: &'a str) -> Option<Vec<&'a str>> {
        let mut came_from = BTreeMap::new();
        let mut open = VecDeque::from([file]);
        while let Some(at) = open.pop_front() {
            for next in self.arrows.get(at).into_iter().flatten() {
                if next == file {
                    let back = std::iter::successors(Some(at), |at| came_from.get(at).copied());
                    let mut circle: Vec<_> = std::iter::once(file).chain(back).collect();
                    circle.reverse();
                    return Some(circle);
                }
                if !came_from.contains_key(next.as_str()) {
                    came_from.insert(next.as_str(), at);
                    open.push_back(next);
                }
            }
        }
        None
    }

    fn reached_from<'a>(&'a self, file: &str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&str> =
            self.arrows.get(file).into_iter().flatten().map(|f| &**f).collect();
        while let Some(at) = open.pop() {
            if reached.insert(at) {
                open.extend(self.arrows.get(at).into_iter().flatten().map(|f| &**f));
            }
        }
        reached
    }
}

// === impl Module ===

impl Module {
    fn read(text: &str, file: String, path: &[String]) -> Self {
        let tokens = tokens(text);
        let mut module = Self { file, ..Self::default() };
        let (leaves, rest) = module.take_declarations(&tokens);
        let words: BTreeSet<_> = rest.iter().filter_map(Token::word).collect();
        for Leaf { path: leaf, name, is_public } in leaves {
            let Some(target) = module.absolute(&leaf, path) else { continue };
            let is_own_child = target.len() > path.len() && target.starts_with(path);
            if !(is_public && is_own_child) || words.contains(name.as_str()) {
                module.named.insert(target.clone());
            }
            match name.as_str() {
                "*" => module.globs.push(target),
                _ => drop(module.bound.insert(name, target)),
            }
        }
        let paths = paths_in(&rest);
        let named: Vec<_> = paths.iter().filter_map(|named| module.absolute(named, path)).collect();
        module.named.extend(named);
        module
    }

    /// Takes `mod x;` and `use` out of the code.
    fn take_declarations(&mut self, tokens: &[Token]) -> (Vec<Leaf>, Vec<Token>) {
        let (mut leaves, mut rest) = (Vec::new(), Vec::new());
        let mut n = 0;
        while let Some(token) = tokens.get(n) {
            match (token.word(), tokens.get(n + 1), tokens.get(n + 2)) {
                (Some("mod"), Some(Token::Word(name)), Some(Token::Sign(';'))) => {
                    self.children.insert(name.clone());
                    n += 3;
                }
                (Some("mod"), Some(Token::Word(name)), Some(Token::Open('{'))) => {
                    panic!("{}: `mod {name} {{` cannot be followed; give it a file", self.file)
                }
                // `use<'a>` of a return type is none.
                (Some("use"), Some(next), _) if *next != Token::Sign('<') => {
                    let end = tokens[n..].iter().position(|token| *token == Token::Sign(';'));
                    let end = n + end.unwrap_or_else(|| panic!("{}: a use without end", self.file));
                    let is_public = is_public(&tokens[..n]);
                    take_leaves(&tokens[n + 1..end], &[], is_public, &mut leaves);
                    n = end + 1;
                }
                _ => {
                    rest.push(token.clone());
                    n += 1;
                }
            }
        }
        (leaves, rest)
    }

    /// The path from the crate's root; `None` for what is another crate's.
    fn absolute(&self, path: &[String], own: &[String]) -> Option<Segments> {
        let (first, rest) = path.split_first()?;
        let base = match first.as_str() {
            "crate" => Segments::new(),
            "self" => own.to_vec(),
            "super" => {
                let ups = path.iter().take_while(|segment| *segment == "super").count();
                let base = own.get(..own.len().checked_sub(ups)?)?;
                return Some([base, &path[ups..]].concat());
            }
            child if self.children.contains(child) => joined(own, child),
            name => self.bound.get(name)?.clone(),
        };
        Some([base.as_slice(), rest].concat())
    }
}

/// The file that defines what this path means.
fn defined_in(
    modules: &BTreeMap<Segments, Module>,
    path: &[String],
    depth: usize,
) -> Option<String> {
    assert!(depth < 20, "{path:?} re-exports itself");
    let reached = (0..=path.len()).rev().find(|n| modules.contains_key(&path[..*n]))?;
    let module = &modules[&path[..reached]];
    let Some(name) = path.get(reached) else { return Some(module.file.clone()) };
    if let Some(target) = module.bound.get(name) {
        let whole = [target.as_slice(), &path[reached + 1..]].concat();
        return defined_in(modules, &whole, depth + 1);
    }
    Some(module.file.clone())
}

fn joined(path: &[String], name: &str) -> Segments {
    [path, &[name.to_owned()]].concat()
}

/// Are these the tokens in front of a public `use`: `pub`, or `pub(crate)`?
fn is_public(before: &[Token]) -> bool {
    let before = match before {
        [.., Token::Word(public), Token::Open('('), Token::Word(_), Token::Close] => {
            return public == "pub";
        }
        [.., last] => last,
        [] => return false,
    };
    before.word() == Some("pub")
}

/// The leaves of `a::{b, c as d, e::*}`.
fn take_leaves(tokens: &[Token], prefix: &[String], is_public: bool, found: &mut Vec<Leaf>) {
    let mut path = prefix.to_vec();
    let mut alias = None;
    let mut n = 0;
    while let Some(token) = tokens.get(n) {
        match token {
            Token::Word(word) if word == "as" => {
                alias = tokens.get(n + 1).and_then(Token::word);
                n += 1;
            }
            Token::Word(word) => path.push(word.clone()),
            Token::Sign('*') => {
                found.push(Leaf { path: path.clone(), name: "*".to_owned(), is_public });
                return;
            }
            Token::Open(_) => {
                for branch in branches(&tokens[n + 1..]) {
                    take_leaves(branch, &path, is_public, found);
                }
                return;
            }
            _ => {}
        }
        n += 1;
    }
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(name) = alias.or(path.last().map(String::as_str)).map(str::to_owned) {
        found.push(Leaf { path, name, is_public });
    }
}

/// What the commas of a group divide, up to its end.
fn branches(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (n, token) in tokens.iter().enumerate() {
        match token {
            Token::Open(_) => depth += 1,
            Token::Close if depth == 0 => {
                found.push(&tokens[start..n]);
                break;
            }
            Token::Close => depth -= 1,
            Token::Sign(',') if depth == 0 => {
                found.push(&tokens[start..n]);
                start = n + 1;
            }
            _ => {}
        }
    }
    found.retain(|branch| !branch.is_empty());
    found
}

/// Every `a::b::c` of two segments or more. `a` that is imported counts where it is imported.
fn paths_in(tokens: &[Token]) -> Vec<Segments> {
    let colons = |n: usize| tokens.get(n..n + 2) == Some(&[Token::Sign(':'), Token::Sign(':')]);
    let mut found = Vec::new();
    let mut n = 0;
    while let Some(token) = tokens.get(n) {
        let is_member = n > 0 && tokens[n - 1] == Token::Sign('.') || n > 1 && colons(n - 2);
        let Some(first) = token.word().filter(|_| !is_member && colons(n + 1)) else {
            n += 1;
            continue;
        };
        let mut path = vec![first.to_owned()];
        while let Some(word) = tokens.get(n + 3).and_then(Token::word).filter(|_| colons(n + 1)) {
            path.push(word.to_owned());
            n += 3;
        }
        found.push(path);
        n += 1;
    }
    found
}
