//! Why a module does not run.

use crate::limits::MemoryLimit;
use std::path::PathBuf;
use thiserror::Error;
use wasmtime::{Trap, WasmBacktrace};

/// A module that could not be loaded, started or configured. One line for people each.
#[derive(Debug, Error)]
pub enum Error {
    #[error("{}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    /// The bytes are neither a module nor its text.
    #[error("no WebAssembly module: {0}")]
    NotWasm(String),
    #[error(
        "no proxy-wasm module: it exports none of proxy_abi_version_0_2_1, proxy_abi_version_0_2_0, \
         proxy_abi_version_0_1_0"
    )]
    NoAbi,
    /// An import that no host of this ABI has, or one of another signature.
    #[error("the module does not link: {0}")]
    Link(String),
    #[error("the module exports {name} with a signature that is not the ABI's: {reason}")]
    Export { name: &'static str, reason: String },
    /// Emscripten writes them unless it is told otherwise, and Envoy's V8 runs them.
    #[error(
        "the module uses exceptions as they were before WebAssembly 3.0, which Envoy runs and host-sim does not: \
         build it with -sWASM_LEGACY_EXCEPTIONS=0 ({0})"
    )]
    LegacyExceptions(String),
    #[error("Envoy 1.40 crashes at the start of the module: {0}")]
    Crash(String),
    /// Envoy does not start such a module, whether it would call the allocator or not.
    #[error(
        "the module exports no allocator: export malloc or proxy_on_memory_allocate, as func(i32) -> i32"
    )]
    NoAllocator,
    #[error("the chain names the plugin {0:?}, and there is none of that name")]
    NoPlugin(String),
    /// A trap, or a limit, before the first request.
    #[error("{vm}: {failure}")]
    Start { vm: String, failure: Box<Failure>, log: Vec<String> },
    /// The module said no to its VM start or its configuration.
    #[error("{vm}: {callback} returned false{}", logged(.log))]
    Refused { vm: String, callback: &'static str, log: Vec<String> },
}

// === impl Error ===

impl Error {
    /// What the module logged before it failed, its standard output and error among it.
    pub fn log(&self) -> &[String] {
        match self {
            Self::Start { log, .. } | Self::Refused { log, .. } => log,
            _ => &[],
        }
    }
}

/// What ended a VM: the callback that was running and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{callback} {cause}{}", place(.frames))]
pub struct Failure {
    pub callback: &'static str,
    pub cause: Cause,
    /// Guest functions on the stack, innermost first; empty where the module has no names.
    pub frames: Vec<String>,
}

/// How a guest call ends other than by returning.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Cause {
    #[error("trapped: {0}")]
    Trap(String),
    #[error(
        "used up its {0} instructions, as an endless loop would: if it needs more, raise --fuel (Builder::fuel)"
    )]
    Fuel(u64),
    /// A trap after the memory that the guest asked for was refused.
    #[error(
        "trapped: {trap}, after {asked} bytes of memory were refused: it may have {limit}, raise --memory \
         (Builder::memory)"
    )]
    Memory { trap: String, asked: usize, limit: usize },
    /// Envoy's process ends, and not the VM alone.
    #[error("crashes Envoy 1.40: {0}")]
    Crash(String),
    /// A host function called where the ABI forbids it.
    #[error("called {function} {stage}, where Envoy allows no such call")]
    Forbidden { function: &'static str, stage: &'static str },
}

// === impl Failure ===

impl Failure {
    /// Of a guest function that could spend `fuel`.
    pub(crate) fn new(callback: &'static str, fuel: u64, error: &wasmtime::Error) -> Self {
        let cause = match (error.downcast_ref::<Cause>(), error.downcast_ref::<Trap>()) {
            (Some(cause), _) => cause.clone(),
            (None, Some(Trap::OutOfFuel)) => Cause::Fuel(fuel),
            (None, Some(trap)) => Cause::Trap(trap.to_string()),
            (None, None) => Cause::Trap(format!("{error:#}")),
        };
        let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames);
        let named = frames.unwrap_or_default().iter().filter_map(|frame| frame.func_name());
        Self { callback, cause, frames: named.take(5).map(demangle).collect() }
    }
}

impl Failure {
    /// With what the guest had asked for in vain.
    pub(crate) fn under(mut self, limit: &MemoryLimit) -> Self {
        if let (Cause::Trap(trap), Some(asked)) = (&self.cause, limit.refused) {
            self.cause = Cause::Memory { trap: trap.clone(), asked, limit: limit.bytes };
        }
        self
    }
}

/// The name of a guest function as its author wrote it, in Rust or in C++; other names stay as they are.
fn demangle(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // Without the hash at its end.
        return format!("{rust:#}");
    }
    let cpp = cpp_demangle::Symbol::new(name).ok().and_then(|symbol| symbol.demangle().ok());
    cpp.unwrap_or_else(|| name.to_owned())
}

fn logged(log: &[String]) -> String {
    log.last().map_or_else(String::new, |line| format!(" and logged: {line}"))
}

fn place(frames: &[String]) -> String {
    if frames.is_empty() { String::new() } else { format!(" (in {})", frames.join(" < ")) }
}
