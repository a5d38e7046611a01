//! Standard output, and text from a stranger on a terminal.

use std::io::{ErrorKind, Write};

use anyhow::Context;

/// One line on standard output. A closed pipe (`| head`) is not a failure.
///
/// # Errors
/// Standard output can not be written.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output")
        }
        _ => Ok(()),
    }
}

/// Escapes what could move the cursor or reorder text, as JSON does (`\u001b`): a token's author
/// chose these bytes. JSON stays the same JSON, as long as it has no newlines between its members.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Zero-width and bidirectional control characters, which `char::is_control` leaves out.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
