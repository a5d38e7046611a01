//! What must hold for every input of a parser that reads untrusted bytes.
//!
//! Each module has one function `check`, which panics if the property does not hold. A target in
//! `fuzz_targets/` gives it inputs that libFuzzer makes (`cargo xtask fuzz`); `tests/seeds.rs` gives it the
//! inputs in `seeds/`, on every run of the tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod audit_entry;
pub mod case_file;
pub mod cursor;
pub mod host;
pub mod jwt_header;
pub mod lease_answer;
pub mod links;
pub mod path;
pub mod pattern;
pub mod strict_json;

/// A name, and the property that goes by it.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, in the order of the alphabet.
pub const TARGETS: [Target; 10] = [
    ("audit_entry", audit_entry::check),
    ("case_file", case_file::check),
    ("cursor", cursor::check),
    ("host", host::check),
    ("jwt_header", jwt_header::check),
    ("lease_answer", lease_answer::check),
    ("links", links::check),
    ("path", path::check),
    ("pattern", pattern::check),
    ("strict_json", strict_json::check),
];
