//! `BENCHMARKS.md`: each benchmark writes its own section of it, and leaves the rest alone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::built::Built;

const FILE: &str = "BENCHMARKS.md";
const TITLE: &str = "# Benchmarks\n\nThe tables are written by the commands named above them; what is \
    said around them is written by hand.\n";

/// Puts `text` (Markdown) into the section `name` of `BENCHMARKS.md`, in place of what a run before
/// had written there. `command` is what writes it. A section that is not there yet goes to the end.
///
/// # Errors
/// The file cannot be read or written, or a mark in it has lost its other half.
pub fn write_section(name: &str, command: &str, text: &str) -> Result<PathBuf> {
    let path = Built::root().join(FILE);
    write_section_of(&path, name, command, text)?;
    Ok(path)
}

/// The machine in one line: processor, cores, kernel.
pub fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.map_or("an unknown processor", |model| model.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

fn write_section_of(path: &Path, name: &str, command: &str, text: &str) -> Result<()> {
    let shown = path.display();
    let before = match fs::read_to_string(path) {
        Ok(before) => before,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => TITLE.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("reading {shown}")),
    };
    let after = replaced(&before, name, command, text).with_context(|| shown.to_string())?;
    fs::write(path, after).with_context(|| format!("writing {shown}"))
}

/// `file` with the text between the section's two marks replaced.
///
/// # Errors
/// A mark has lost its other half.
pub fn replaced(file: &str, name: &str, command: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- begin {name}:"), format!("<!-- end {name} -->"));
    let section = format!("{begin} written by `{command}` -->\n\n{}\n\n{end}", text.trim());
    match (file.find(&begin), file.find(&end)) {
        (None, None) => Ok(format!("{}\n\n## {name}\n\n{section}\n", file.trim_end())),
        (Some(from), Some(to)) if from < to => {
            let (before, after) = (file.get(..from), file.get(to + end.len()..));
            Ok([before.unwrap_or_default(), &section, after.unwrap_or_default()].concat())
        }
        _ => bail!("the marks `{begin}` and `{end}` do not stand around the section {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_section_goes_to_the_end() {
        let file = replaced(TITLE, "Speed", "cargo xtask bench", "one\n").unwrap();
        assert!(file.starts_with(TITLE.trim_end()), "{file}");
        let section = "\n\n## Speed\n\n<!-- begin Speed: written by `cargo xtask bench` -->\n\none\n\n\
                       <!-- end Speed -->\n";
        assert!(file.ends_with(section), "{file}");
    }

    #[test]
    fn a_second_run_replaces_its_own_section_and_nothing_else() {
        let file = replaced(TITLE, "Speed", "a", "one").unwrap();
        let file = replaced(&file, "Custody", "b", "two").unwrap() + "\nBy hand.\n";
        let again = replaced(&file, "Speed", "a", "three").unwrap();
        assert_eq!(again, file.replace("one", "three"));
    }

    #[test]
    fn a_mark_without_its_other_half_is_an_error() {
        let file = replaced(TITLE, "Speed", "a", "one").unwrap().replace("<!-- end Speed -->", "");
        let error = replaced(&file, "Speed", "a", "two").unwrap_err().to_string();
        assert!(error.contains("begin Speed"), "{error}");
    }

    #[test]
    fn the_machine_is_told_in_one_line() {
        let machine = machine();
        assert!(machine.contains("cores, Linux ") && !machine.contains('\n'), "{machine}");
    }
}
