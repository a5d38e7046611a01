//! The sentences in the code that people read: doc comments, which are the texts of `--help` too, and the
//! texts of errors and logs.

use std::fs;
use std::path::{Path, PathBuf};

use stack::built::Built;

use crate::prose::{self, Form, Sentence};

/// The sources whose English is checked. A crate is added when its texts keep the rules.
const COVERED: [&str; 20] = [
    "custody/base/src",
    "custody/src/admin",
    "custody/src/admin.rs",
    "custody/src/api",
    "custody/src/api.rs",
    "custody/src/cli",
    "custody/src/cli.rs",
    "custody/src/feed",
    "custody/src/feed.rs",
    "custody/src/http",
    "custody/src/http.rs",
    "custody/src/leasing/reason.rs",
    "custody/src/notify",
    "custody/src/notify.rs",
    "custody/src/server",
    "custody/src/server.rs",
    "custody/src/workers",
    "custody/src/workers.rs",
    "lease/src",
    "session-jwt/src",
];

/// What begins a line with a text for people.
const TEXTS: [&str; 5] = ["#[error(\"", "tracing::", "bail!(", ".context(\"", "after_help = \""];

pub fn sentences() -> Vec<Sentence> {
    let root = Built::root();
    let mut files = Vec::new();
    for covered in COVERED {
        find(&root.join(covered), &mut files);
    }
    assert!(files.len() > 50, "{} files", files.len());
    let of = |file: &PathBuf| {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        of_rust(&name, &fs::read_to_string(file).unwrap())
    };
    files.iter().flat_map(of).collect()
}

fn find(place: &Path, files: &mut Vec<PathBuf>) {
    if place.is_dir() {
        let entries = fs::read_dir(place).unwrap();
        entries.for_each(|entry| find(&entry.unwrap().path(), files));
    } else if place.extension().is_some_and(|extension| extension == "rs") {
        files.push(place.to_owned());
    } else {
        assert!(place.is_file(), "{} is covered, and not there", place.display());
    }
}

/// Of each block of doc comments, and of each line with a text for people.
fn of_rust(file: &str, source: &str) -> Vec<Sentence> {
    let (mut sentences, mut block, mut begin) = (Vec::new(), String::new(), 0);
    for (at, line) in source.lines().chain([""]).enumerate() {
        let line = line.trim();
        let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        if let Some(text) = comment {
            begin = if block.is_empty() { at } else { begin };
            block.push_str(text.strip_prefix(' ').unwrap_or(text));
            block.push('\n');
            continue;
        }
        for mut sentence in prose::of_markdown(file, &std::mem::take(&mut block)) {
            sentence.line += begin;
            sentences.push(sentence);
        }
        if TEXTS.iter().any(|text| line.contains(text)) {
            let text = literals(line);
            let sentence = Sentence { file: file.to_owned(), line: at + 1, form: Form::Cell, text };
            sentences.push(sentence);
        }
    }
    sentences
}

/// The strings of a line, one after the other.
fn literals(line: &str) -> String {
    let line = line.replace("\\\"", "'");
    let strings = line.split('"').enumerate().filter(|(at, _)| at % 2 == 1);
    strings.map(|(_, string)| string).collect::<Vec<_>>().join(" ")
}

#[test]
fn comments_and_texts_of_rust_become_their_sentences() {
    let source = "//! A file.\n//! Two lines.\n\n/// An `item`\n/// of it.\n#[error(\"no {0}: \\\"x\\\"\")]\n\
        fn f() { tracing::warn!(%fault, \"failed\"); } // no doc\nlet a = \"no text\";";
    let found = of_rust("f.rs", source);
    let found: Vec<_> = found.iter().map(|one| (one.line, &*one.text)).collect();
    let expected = [
        (1, "A file."),
        (1, "Two lines."),
        (4, "An CODE of it."),
        (6, "no {0}: 'x'"),
        (7, "failed"),
    ];
    assert_eq!(found, expected);
}
