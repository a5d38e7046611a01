//! The transcript as lines for people.

use crate::transcript::{Arg, ArgValue, Entry, Returned, TranscriptEvent};
use std::fmt;

/// Longer values are cut: a trace is read, not parsed.
const SHOWN_BYTES: usize = 120;

// === impl Entry ===

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.at.unix_nanos();
        let millis = nanos / 1_000_000 % 1000;
        write!(f, "{}.{millis:03} vm{} ", self.at.unix_seconds(), self.vm)?;
        self.what.fmt(f)
    }
}

// === impl TranscriptEvent ===

impl fmt::Display for TranscriptEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callback { name, context, args } => {
                write!(f, "-> {name}({context}")?;
                args.iter().try_for_each(|arg| write!(f, ", {arg}"))?;
                f.write_str(")")
            }
            Self::Returned { name, value, fuel } => {
                write!(f, "<- {name}")?;
                if let Some(value) = value {
                    write!(f, " = {value}")?;
                }
                write!(f, " [{fuel} instructions]")
            }
            Self::HostCall { function, context, args, status } => {
                write!(f, "   #{context} {function}(")?;
                for (n, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if n == 0 { "" } else { ", " })?;
                }
                write!(f, ") = {status}")
            }
            Self::Log { context, level, message } => write!(f, "   #{context} {level}: {message}"),
            _ => self.fmt_outcome(f),
        }
    }
}

impl TranscriptEvent {
    fn fmt_outcome(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CalloutSent { token, cluster, message } => {
                let text = |name| message.headers.text(name).unwrap_or_default();
                let (method, path) = (text(":method"), text(":path"));
                write!(f, "== callout {token} to {cluster}: {method} {path}")
            }
            Self::CalloutEnded { token, status: 0 } => write!(f, "== callout {token} was reset"),
            Self::CalloutEnded { token, status } => {
                write!(f, "== callout {token} answered {status}")
            }
            Self::Passed { stream, direction } => write!(f, "== {stream}: {direction} passed on"),
            Self::LocalReply { stream, reply } => {
                write!(f, "== {stream}: local reply {} ({})", reply.status, reply.details)
            }
            Self::StreamReset { stream } => write!(f, "== {stream} reset"),
            Self::StreamEnded { stream } => write!(f, "== {stream} ended"),
            Self::VmFailed { failure } => write!(f, "!! the VM failed: {failure}"),
            Self::NoForeignFunction { name } => write!(f, "== no foreign function {name:?}"),
            Self::VmStarted => f.write_str("== VM started"),
            Self::Violation(violation) => write!(f, "!! {violation}"),
            _ => Ok(()),
        }
    }
}

// === impl Arg ===

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

impl fmt::Display for ArgValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Bytes(bytes) => {
                let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
                write!(f, "\"{}\"", shown.escape_ascii())?;
                match bytes.len().checked_sub(SHOWN_BYTES) {
                    Some(more) if more > 0 => write!(f, "+{more}"),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Errno(errno) => write!(f, "errno {errno}"),
        }
    }
}
