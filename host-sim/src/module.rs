//! A compiled module, and what can be told of it without running it.

mod features;

use crate::error::Error;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use wasmtime::{Config, Engine, ExternType};

/// Which version of the ABI a module was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AbiVersion {
    V0_1_0,
    V0_2_0,
    V0_2_1,
}

/// A compiled proxy-wasm module; cheap to clone.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    compiled: wasmtime::Module,
    abi: AbiVersion,
    digest: [u8; 32],
    size: usize,
}

/// One import or export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Empty for an export.
    pub module: String,
    pub name: String,
    /// `func(i32, i32) -> i32`, `memory`, `global`, `table`.
    pub kind: String,
}

// === impl Module ===

impl Module {
    /// Compiles a module from its binary or its text.
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        let binary = wat::parse_bytes(bytes).map_err(|error| {
            let text = error.to_string();
            Error::NotWasm(text.lines().next().unwrap_or_default().to_owned())
        })?;
        let compiled = wasmtime::Module::new(engine(), features::unshared(&binary));
        let compiled = compiled.map_err(|error| features::refusal(&binary, &error))?;
        features::check_exports(&compiled)?;
        // Envoy asks for functions: a global of that name counts for nothing.
        let functions = compiled.exports().filter(|export| export.ty().func().is_some());
        let exports: BTreeSet<&str> = functions.map(|export| export.name()).collect();
        let abi = if exports.contains("proxy_abi_version_0_2_1") {
            AbiVersion::V0_2_1
        } else if exports.contains("proxy_abi_version_0_2_0") {
            AbiVersion::V0_2_0
        } else if exports.contains("proxy_abi_version_0_1_0") {
            AbiVersion::V0_1_0
        } else {
            return Err(Error::NoAbi);
        };
        drop(exports);
        let digest = ring::digest::digest(&ring::digest::SHA256, &binary);
        let digest = digest.as_ref().first_chunk::<32>().copied().unwrap_or_default();
        Ok(Self(Arc::new(Inner { compiled, abi, digest, size: bytes.len() })))
    }

    /// Reads and compiles a file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|error| Error::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Self::new(&bytes)
    }

    pub fn abi(&self) -> AbiVersion {
        self.0.abi
    }

    /// Bytes of the file.
    pub fn size(&self) -> usize {
        self.0.size
    }

    pub fn imports(&self) -> Vec<Symbol> {
        let imports = self.0.compiled.imports();
        let symbols =
            imports.map(|import| Symbol::new(import.module(), import.name(), &import.ty()));
        symbols.collect()
    }

    pub fn exports(&self) -> Vec<Symbol> {
        let exports = self.0.compiled.exports();
        exports.map(|export| Symbol::new("", export.name(), &export.ty())).collect()
    }

    pub(crate) fn compiled(&self) -> &wasmtime::Module {
        &self.0.compiled
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        self.0.digest
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("abi", &self.0.abi).field("size", &self.0.size).finish()
    }
}

/// The one engine of this process: instructions are counted, so that nothing runs for ever.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        config.consume_fuel(true);
        config.wasm_exceptions(true).wasm_gc(true).wasm_function_references(true);
        // These settings are valid on every machine wasmtime supports; the default is the fallback.
        Engine::new(&config).unwrap_or_default()
    })
}

// === impl Symbol ===

impl Symbol {
    fn new(module: &str, name: &str, kind: &ExternType) -> Self {
        let kind = match kind {
            ExternType::Func(function) => {
                let params: Vec<_> = function.params().map(|kind| kind.to_string()).collect();
                let results: Vec<_> = function.results().map(|kind| kind.to_string()).collect();
                match results.as_slice() {
                    [] => format!("func({})", params.join(", ")),
                    _ => format!("func({}) -> {}", params.join(", "), results.join(", ")),
                }
            }
            ExternType::Memory(_) => "memory".to_owned(),
            ExternType::Global(_) => "global".to_owned(),
            ExternType::Table(_) => "table".to_owned(),
            ExternType::Tag(_) => "tag".to_owned(),
        };
        Self { module: module.to_owned(), name: name.to_owned(), kind }
    }
}

// === impl AbiVersion ===

impl fmt::Display for AbiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
        })
    }
}
