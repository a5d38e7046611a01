//! Standard output, which may be closed early (`| head`) or be a file on a full disk.

use super::exit::Exit;
use std::fmt;
use std::io::{ErrorKind, Write};

/// `println!` that does not panic.
macro_rules! print_line {
    ($($text:tt)*) => { crate::cli::stdout::write_line(format_args!($($text)*)) };
}

pub(super) use print_line;

/// Where nobody reads any more, there is nobody left to tell, which is no failure.
pub fn write_line(text: fmt::Arguments<'_>) -> Result<(), Exit> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Exit::unwritable(&error)),
        _ => Ok(()),
    }
}
