//! Standard output that may be closed early (`| head`): then there is nobody left to tell.

/// `println!` that does not panic.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

pub(super) use say;
