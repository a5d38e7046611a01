//! The English of the documents and of the code's texts: the rules of CONTRIBUTING.md that a program can check.

use std::fmt;

use crate::blocks;
use crate::comments;
use crate::prose::{self, Form, Sentence};

/// Words that the project does not use for programs; CONTRIBUTING.md names better ones.
const WORDS: [&str; 34] = [
    "anew",
    "believe",
    "believed",
    "believes",
    "forget",
    "forgets",
    "forgotten",
    "hear",
    "heard",
    "hearing",
    "hears",
    "knew",
    "know",
    "known by",
    "knows",
    "news",
    "said",
    "say",
    "says",
    "stand",
    "standing",
    "stands",
    "stood",
    "tell",
    "telling",
    "tells",
    "told",
    "whatever",
    "whoever",
    "whomever",
    "whosoever",
    "lets go",
    "let go",
    "hands over",
];

/// Negations that need a second reading.
const PHRASES: [&str; 5] = ["is none", "are none", "that is no", "which is no", "it is no"];

/// What a sentence does not begin with: it names its actor instead.
const OPENINGS: [&str; 4] = ["what", "whatever", "who", "whoever"];

/// Words in a sentence of the pages in [`is_bounded`], as CONTRIBUTING.md asks.
const LONGEST: usize = 25;

/// Where a forbidden word is right: the page, the word, and the reason.
const ALLOWED: [(&str, &str, &str); 8] = [
    ("CONTRIBUTING.md", "believe", RULES),
    ("CONTRIBUTING.md", "forget", RULES),
    ("CONTRIBUTING.md", "hear", RULES),
    ("CONTRIBUTING.md", "know", RULES),
    ("CONTRIBUTING.md", "say", RULES),
    ("CONTRIBUTING.md", "stand", RULES),
    ("CONTRIBUTING.md", "tell", RULES),
    ("CONTRIBUTING.md", "whoever", RULES),
];
const RULES: &str = "the rules of English name it";

/// A rule that a sentence breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Word(&'static str),
    Opening(&'static str),
    Long(usize),
}

// === impl Fault ===

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => {
                write!(f, "uses {word:?}; name the actor and use a verb of programs")
            }
            Self::Opening(word) => write!(f, "begins with {word:?}; begin with the actor"),
            Self::Long(words) => write!(f, "has {words} words; at most {LONGEST}"),
        }
    }
}

/// The faults of one sentence. Any source of sentences can be checked with it.
fn faults(sentence: &Sentence, is_bounded: bool) -> Vec<Fault> {
    let words = words(&sentence.text);
    // "is no longer" is not one of the negations.
    let padded = format!(" {} ", words.join(" ")).replace(" no longer ", " no-longer ");
    let holds = |word: &&&'static str| padded.contains(&format!(" {word} "));
    let mut faults: Vec<_> = WORDS.iter().filter(holds).map(|word| Fault::Word(word)).collect();
    faults.extend(PHRASES.iter().filter(holds).map(|phrase| Fault::Word(phrase)));
    if sentence.form == Form::Running {
        let first = words.first().map(String::as_str).unwrap_or_default();
        let opening = OPENINGS.iter().find(|opening| **opening == first);
        // A question is an order of words of its own.
        let opening = opening.filter(|_| !sentence.text.ends_with('?'));
        faults.extend(opening.map(|opening| Fault::Opening(opening)));
    }
    if is_bounded && sentence.form != Form::Heading && words.len() > LONGEST {
        faults.push(Fault::Long(words.len()));
    }
    faults
}

/// In lower case, without punctuation.
fn words(text: &str) -> Vec<String> {
    let words = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}

/// The pages whose sentences are bounded: all but the log of changes and of measurements.
fn is_bounded(file: &str) -> bool {
    !["CHANGELOG.md", "BENCHMARKS.md"].contains(&file)
}

/// Every fault of every page, before anything is allowed.
fn all_faults() -> Vec<(Sentence, Fault)> {
    let sentences = blocks::pages().into_iter().flat_map(|page| prose::of_page(&page));
    sentences
        .flat_map(|sentence| {
            let faults = faults(&sentence, is_bounded(&sentence.file));
            faults.into_iter().map(move |fault| (sentence.clone(), fault))
        })
        .collect()
}

fn allowance(sentence: &Sentence, fault: &Fault) -> Option<usize> {
    let (Fault::Word(word) | Fault::Opening(word)) = fault else { return None };
    ALLOWED.iter().position(|(file, allowed, _)| sentence.file == *file && word == allowed)
}

#[test]
fn every_sentence_of_the_documents_keeps_the_rules_of_english() {
    let faults = all_faults().into_iter().filter(|(at, fault)| allowance(at, fault).is_none());
    let lines = faults.map(|(Sentence { file, line, text, .. }, fault)| {
        format!("{file}:{line}: {fault}: {text}")
    });
    let lines: Vec<_> = lines.collect();
    assert!(lines.is_empty(), "{} faults:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn every_comment_and_text_of_the_covered_code_keeps_the_rules_of_english() {
    let mut lines = Vec::new();
    for sentence in comments::sentences() {
        let Sentence { file, line, text, .. } = &sentence;
        let faults = faults(&sentence, false).into_iter();
        lines.extend(faults.map(|fault| format!("{file}:{line}: {fault}: {text}")));
    }
    assert!(lines.is_empty(), "{} faults:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn every_allowance_is_needed() {
    let faults = all_faults();
    for (at, (file, word, _)) in ALLOWED.iter().enumerate() {
        let is_needed =
            faults.iter().any(|(sentence, fault)| allowance(sentence, fault) == Some(at));
        assert!(is_needed, "{file} does not use {word:?}; take it off the allow list");
    }
}

#[test]
fn forbidden_words_openings_and_lengths_are_found() {
    let found = |form, text: &str| {
        let sentence = Sentence { file: "p.md".into(), line: 1, form, text: text.into() };
        faults(&sentence, true)
    };
    let running = |text: &str| found(Form::Running, text);
    assert_eq!(running("Custody tells the edge."), [Fault::Word("tells")]);
    assert_eq!(running("A key that is no JSON."), [Fault::Word("that is no")]);
    assert_eq!(running("What is refused, is logged."), [Fault::Opening("what")]);
    assert_eq!(running("What does it cost?"), []);
    assert_eq!(found(Form::Heading, "What never changes"), []);
    assert_eq!(running(&"word ".repeat(LONGEST)), []);
    assert_eq!(running(&"word ".repeat(LONGEST + 1)), [Fault::Long(LONGEST + 1)]);
    assert_eq!(running("The newsletter foretells nothing."), []);
}
