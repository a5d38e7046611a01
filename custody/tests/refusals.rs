//! docs/refusals.md: every code and reason of custody, written from the code.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use custody::leasing::RefusalReason;
use custody::workers::refused::Refused;
use lease::{OutcomeRefusal, RefusalCode};

/// A table of Markdown.
fn table<const N: usize>(
    columns: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "| {} |\n| {} |", columns.join(" | "), ["---"; N].join(" | "));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// The tables of the page, by their names in it.
fn tables() -> [(&'static str, String); 4] {
    let answers = RefusalCode::ALL
        .map(|own| [code(own.code()), own.status().to_string(), own.meaning().to_owned()]);
    let outcomes = OutcomeRefusal::ALL
        .map(|own| [code(own.code()), own.status().to_string(), own.meaning().to_owned()]);
    let reasons = RefusalReason::ALL.map(|reason| {
        let (meaning, fix) = reason.explanation();
        let answer = reason.answer();
        let status = answer.status().to_string();
        [code(reason.code()), code(answer.code()), status, meaning.to_owned(), fix.to_owned()]
    });
    let capabilities = Refused::ALL.map(|refused| {
        let (meaning, fix) = refused.explanation();
        [code(refused.code()), refused.status().to_string(), meaning.to_owned(), fix.to_owned()]
    });
    [
        ("answers", table(["code", "status", "meaning"], answers)),
        ("reasons", table(["reason", "code", "status", "meaning", "what to do"], reasons)),
        ("outcomes", table(["code", "status", "meaning"], outcomes)),
        ("capabilities", table(["code", "status", "meaning", "what to do"], capabilities)),
    ]
}

/// The page with the tables of the code in place of its own.
fn written(page: &str) -> String {
    let mut page = page.to_owned();
    for (name, table) in tables() {
        let (begin, end) = (format!("<!-- table {name} -->\n"), format!("<!-- end {name} -->"));
        let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no table {name}"));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no end of {name}"));
        page = format!("{before}{begin}\n{table}\n{end}{after}");
    }
    page
}

#[test]
fn every_reason_is_documented_as_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/refusals.md")).unwrap();
    let written = written(&page);
    if page != written {
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refusals.md");
        fs::write(&copy, &written).unwrap();
        panic!("docs/refusals.md is not what the code says: cp {} docs/", copy.display());
    }
}

#[test]
fn codes_are_unique_and_texts_are_sentences() {
    let reasons = RefusalReason::ALL.map(|reason| (reason.code(), reason.explanation()));
    let codes: BTreeSet<_> = reasons.iter().map(|(code, _)| code).collect();
    assert_eq!(codes.len(), RefusalReason::ALL.len());
    let capabilities = Refused::ALL.map(|refused| (refused.code(), refused.explanation()));
    for (code, (meaning, fix)) in reasons.into_iter().chain(capabilities) {
        let is_code = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(is_code && meaning.ends_with('.') && fix.ends_with('.'), "{code}");
    }
}
