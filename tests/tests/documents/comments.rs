//! The sentences in the code that people read: doc comments, which are the texts of `--help` too, and the
//! texts of errors and logs.

use std::fs;
use std::path::{Path, PathBuf};

use stack::built::Built;

use crate::prose::{self, Form, Sentence};

/// The sources whose English is checked. A crate is added when its texts keep the rules.
const COVERED: [&str; 25] = [
    "custody/audit/src",
    "custody/backends/src",
    "custody/base/src",
    "custody/ledger/src",
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
    "edge/src",
    "filter/src",
    "lease/src",
    "session-jwt/src",
];

/// What begins a text for people: an attribute, or the arguments of a macro or function.
const TEXTS: [&str; 13] = [
    "#[error(",
    "tracing::error!(",
    "tracing::warn!(",
    "tracing::info!(",
    "tracing::debug!(",
    "bail!(",
    "ensure!(",
    "anyhow!(",
    ".context(",
    ".with_context(",
    "after_help = ",
    ".expect(",
    "eprintln!(",
];

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

/// Of each block of doc comments, and of each text for people.
fn of_rust(file: &str, source: &str) -> Vec<Sentence> {
    let (mut sentences, mut block, mut begin) = (Vec::new(), String::new(), 0);
    let lines: Vec<&str> = source.lines().chain([""]).collect();
    for (at, line) in lines.iter().enumerate() {
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
        let texts = TEXTS.iter().filter_map(|text| Some(line.find(text)? + text.len()));
        if let Some(from) = texts.min().filter(|_| !line.starts_with("//")) {
            let rest = [&line[from..]].into_iter().chain(lines[at + 1..].iter().copied());
            let text = literals(rest);
            let sentence = Sentence { file: file.to_owned(), line: at + 1, form: Form::Cell, text };
            sentences.push(sentence);
        }
    }
    sentences
}

/// The strings up to the bracket that closes what has begun, or up to the end of an attribute's value.
fn literals<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    let (mut text, mut depth) = (String::new(), 1);
    let (mut is_string, mut is_escaped) = (false, false);
    for line in lines {
        for character in line.trim_start().chars() {
            match character {
                _ if is_escaped => {
                    text.push(if character == '"' { '\'' } else { ' ' });
                    is_escaped = false;
                }
                '\\' if is_string => is_escaped = true,
                '"' => {
                    is_string = !is_string;
                    text.push(' ');
                }
                _ if is_string => text.push(character),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' | ';' => depth -= 1,
                _ => {}
            }
            if depth <= 0 {
                return joined(&text);
            }
        }
        // The end of a line in a string: what follows is its continuation.
        is_escaped = false;
        text.push(' ');
    }
    joined(&text)
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn comments_and_texts_of_rust_become_their_sentences() {
    let source = r#"//! A file.
//! Two lines.

/// An `item`
/// of it.
#[error("no {0}: \"x\"")]
fn f() { tracing::warn!(%fault, "failed"); } // no doc
let a = "no text";
return Err(anyhow!(
    "{name}: broken \
     over lines",
)).with_context(|| format!("reading {}", path.display()))?;
"#;
    let found = of_rust("f.rs", source);
    let found: Vec<_> = found.iter().map(|one| (one.line, &*one.text)).collect();
    let expected = [
        (1, "A file."),
        (1, "Two lines."),
        (4, "An CODE of it."),
        (6, "no {0}: 'x'"),
        (7, "failed"),
        (9, "{name}: broken over lines"),
        (12, "reading {}"),
    ];
    assert_eq!(found, expected);
}
