//! Exit codes: one a kind of failure, so that a script can tell them apart.

use host_sim::cases::CaseError;
use host_sim::{Cause, Error};

/// For `--help`.
pub const CODES: &str = "Exit codes: 0 all as expected; 1 a case differs, a cost rose, or the request \
was not let through; 2 bad usage; 3 a file cannot be read, or standard output not be \
written; 4 a YAML or request file makes no sense; \
5 no WebAssembly, or no proxy-wasm module; 6 the module does not link, exports no allocator or a \
callback of a wrong type, or traps at its start; 7 it \
refuses its configuration; 8 it runs for ever.";

pub const FAILED: u8 = 1;
const UNREADABLE: u8 = 3;
const MALFORMED: u8 = 4;
const NO_MODULE: u8 = 5;
const NO_START: u8 = 6;
const REFUSED: u8 = 7;
const ENDLESS: u8 = 8;

/// The end of the program, with one line for the user.
pub struct Exit {
    pub code: u8,
    /// What a module logged that did not start.
    pub log: Vec<String>,
    pub line: String,
}

// === impl Exit ===

impl Exit {
    fn new(code: u8, line: impl ToString) -> Self {
        Self { code, log: Vec::new(), line: one_line(&line.to_string()) }
    }

    pub fn malformed(line: impl ToString) -> Self {
        Self::new(MALFORMED, line)
    }

    pub fn unwritable(error: &std::io::Error) -> Self {
        Self::new(UNREADABLE, format!("standard output: {error}"))
    }

    pub fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(UNREADABLE, format!("{}: {error}", path.display()))
    }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Unreadable { .. } => UNREADABLE,
            Error::NotWasm(_) | Error::NoAbi | Error::LegacyExceptions(_) => NO_MODULE,
            Error::Start { failure, .. } if matches!(failure.cause, Cause::Fuel(_)) => ENDLESS,
            Error::Link(_) | Error::Export { .. } | Error::NoAllocator => NO_START,
            Error::Start { .. } | Error::Crash(_) => NO_START,
            Error::Refused { .. } => REFUSED,
            // The command line makes no chains.
            Error::NoPlugin(_) => MALFORMED,
        };
        let log = match (&error, error.log()) {
            // The last line is in the error's text.
            (Error::Refused { .. }, [earlier @ .., _]) => earlier,
            (_, log) => log,
        };
        Self { log: log.to_vec(), ..Self::new(code, &error) }
    }
}

impl From<CaseError> for Exit {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::Unreadable { .. } => Self::new(UNREADABLE, error),
            CaseError::Malformed { .. } | CaseError::Case { .. } => Self::malformed(error),
            CaseError::Module { case, error } => {
                let exit = Self::from(*error);
                Self { line: format!("case {case:?}: {}", exit.line), ..exit }
            }
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
