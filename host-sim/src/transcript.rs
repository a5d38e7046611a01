//! Everything a module did and everything that was done to it, in order.

use crate::clock::Instant;
use crate::error::Failure;
use crate::message::{Direction, Message};
use crate::status::Status;
use crate::stream::{LocalReply, StreamId};
use crate::strict::Violation;
use std::collections::BTreeMap;
use std::fmt;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Instant,
    /// Which VM: 0 is the canary of the main thread, workers count from 1.
    pub vm: usize,
    pub what: TranscriptEvent,
}

#[derive(Clone, Debug)]
pub enum TranscriptEvent {
    /// The host called into the guest.
    Callback {
        name: &'static str,
        context: u32,
        args: Vec<u32>,
    },
    /// It came back; `None` for a callback that returns nothing. `fuel` in wasm instructions.
    Returned {
        name: &'static str,
        value: Option<u32>,
        fuel: u64,
    },
    /// The guest called the host.
    HostCall {
        function: &'static str,
        context: u32,
        args: Vec<Arg>,
        status: Returned,
    },
    Log {
        context: u32,
        level: Level,
        message: String,
    },
    /// The guest's call to a cluster went out.
    CalloutSent {
        token: u32,
        cluster: String,
        message: Message,
    },
    /// Its answer was handed to the guest; status 0 is a reset.
    CalloutEnded {
        token: u32,
        status: u16,
    },
    /// Headers went on past the filter: to the upstream, or to the guest at the other end.
    Passed {
        stream: StreamId,
        direction: Direction,
    },
    LocalReply {
        stream: StreamId,
        reply: LocalReply,
    },
    StreamReset {
        stream: StreamId,
    },
    StreamEnded {
        stream: StreamId,
    },
    VmFailed {
        failure: Failure,
    },
    VmStarted,
    /// The guest called a foreign function that Envoy does not have.
    NoForeignFunction {
        name: String,
    },
    Violation(Violation),
}

/// An argument of a host call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    pub name: &'static str,
    pub value: ArgValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgValue {
    Number(i64),
    Bytes(Vec<u8>),
}

/// What a host call returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    Status(Status),
    /// WASI has its own numbers.
    Errno(u32),
}

/// `LogLevel` of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// How much is written down. Host calls are counted in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recording {
    /// Counts only, for benchmarks.
    Counts,
    /// All but callbacks and host calls.
    Outcomes,
    #[default]
    Everything,
}

/// The entries of one simulation.
#[derive(Debug, Default)]
pub struct Transcript {
    entries: Vec<Entry>,
    calls: BTreeMap<&'static str, u64>,
    recording: Recording,
}

// === impl Transcript ===

impl Transcript {
    pub(crate) fn new(recording: Recording) -> Self {
        Self { recording, ..Self::default() }
    }

    pub(crate) fn push(&mut self, at: Instant, vm: usize, what: TranscriptEvent) {
        let detail = matches!(
            what,
            TranscriptEvent::HostCall { .. }
                | TranscriptEvent::Callback { .. }
                | TranscriptEvent::Returned { .. }
        );
        let wanted = if detail { Recording::Everything } else { Recording::Outcomes };
        let always =
            matches!(what, TranscriptEvent::Violation(_) | TranscriptEvent::VmFailed { .. });
        if always || self.recording >= wanted {
            self.entries.push(Entry { at, vm, what });
        }
    }

    pub(crate) fn records_calls(&self) -> bool {
        self.recording == Recording::Everything
    }

    /// Counts a call, and says the how manieth of its function it is.
    pub(crate) fn count(&mut self, function: &'static str) -> u64 {
        let calls = self.calls.entry(function).or_default();
        *calls += 1;
        *calls
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Host calls so far, by function.
    pub fn calls(&self) -> &BTreeMap<&'static str, u64> {
        &self.calls
    }

    /// What the module logged, on any VM.
    pub fn logs(&self) -> impl Iterator<Item = (Level, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            TranscriptEvent::Log { level, message, .. } => Some((*level, message.as_str())),
            _ => None,
        })
    }

    /// Streams that are over, in the order in which they ended.
    pub fn stream_ends(&self) -> Vec<StreamId> {
        let ended = self.entries.iter().filter_map(|entry| match entry.what {
            TranscriptEvent::StreamEnded { stream } => Some(stream),
            _ => None,
        });
        ended.collect()
    }

    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            TranscriptEvent::Violation(violation) => Some(violation),
            _ => None,
        })
    }

    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            TranscriptEvent::VmFailed { failure } => Some(failure),
            _ => None,
        })
    }

    /// Guest instructions so far; needs everything recorded.
    pub fn fuel(&self) -> u64 {
        let spent = self.entries.iter().map(|entry| match entry.what {
            TranscriptEvent::Returned { fuel, .. } => fuel,
            _ => 0,
        });
        spent.sum()
    }
}

impl fmt::Display for Transcript {
    /// A line an entry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

// === impl Level ===

impl Level {
    const ALL: [Self; 6] =
        [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical];

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}
