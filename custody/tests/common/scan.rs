//! Looking for a value where it should not be.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
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

/// Where in the memory of a process one of these byte strings stands.
///
/// It holds what a core dump would: everything but the unchanged pages of files. Reading the memory of
/// a program that made itself undumpable takes root (`CAP_SYS_PTRACE`).
pub fn found_in_memory(pid: u32, needles: &[Vec<u8>]) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem"));
    let memory = memory.expect("the memory of custody is for root's eyes alone: run this as root");
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next().unwrap(), fields.next().unwrap());
        let name = fields.nth(3).unwrap_or("anonymous");
        let of_a_file = name.starts_with('/') && !rights.contains('w');
        if !rights.starts_with('r') || of_a_file || name.starts_with("[v") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        for (at, bytes) in touched(&memory, from, to) {
            for needle in needles.iter().filter(|needle| holds(&bytes, needle)) {
                let needle = String::from_utf8_lossy(needle);
                found.push(format!("{needle} in {name}, in the {} bytes at {at:#x}", bytes.len()));
            }
        }
    }
    found
}

/// The pages that hold anything but zeros, neighbours together.
fn touched(memory: &File, from: u64, to: u64) -> Vec<(u64, Vec<u8>)> {
    const PAGE: usize = 4096;
    let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
    for at in (from..to).step_by(PAGE) {
        let mut page = [0; PAGE];
        // A page that went away meanwhile holds nothing.
        let read = memory.read_exact_at(&mut page, at);
        if read.is_err() || page == [0; PAGE] {
            continue;
        }
        match runs.last_mut() {
            Some((start, bytes)) if *start + bytes.len() as u64 == at => bytes.extend(page),
            _ => runs.push((at, page.to_vec())),
        }
    }
    runs
}
