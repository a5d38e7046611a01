//! Looking for a value where it should not be.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The ways a value could show: raw, base64 at each of three offsets, percent-encoded, hex.
pub fn spellings(value: &str) -> Vec<Vec<u8>> {
    let mut all = vec![value.as_bytes().to_vec()];
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for offset in 0..3 {
            let padded = [&b"xxx"[..offset], value.as_bytes()].concat();
            let encoded = engine.encode(padded).into_bytes();
            // The first and last characters mix with their neighbours.
            all.push(encoded[4..encoded.len() - 4].to_vec());
        }
    }
    let (mut percent, mut hex) = (String::new(), String::new());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            percent.push(char::from(byte));
        } else {
            write!(percent, "%{byte:02X}").unwrap();
        }
        write!(hex, "{byte:02x}").unwrap();
    }
    all.push(percent.into_bytes());
    all.push(hex.into_bytes());
    all
}

pub fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
