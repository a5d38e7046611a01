//! Features of WebAssembly in which Envoy's V8 and wasmtime differ.

use crate::error::Error;
use std::borrow::Cow;
use wasmparser::{Imports, Parser, Payload, TypeRef};
use wasmtime::{ExternType, Module};

/// The bit of a memory's limits that says it is shared between threads.
const SHARED: u8 = 0b10;

/// The module with its shared memories as memories of its own, which they are: in Envoy, too, each VM has one
/// thread. Atomic instructions are the same on both.
pub fn unshared(module: &[u8]) -> Cow<'_, [u8]> {
    let places = shared_memories(module).unwrap_or_default();
    let mut module = Cow::Borrowed(module);
    for place in places {
        if let Some(flags) = module.to_mut().get_mut(place) {
            *flags &= !SHARED;
        }
    }
    module
}

/// Where the limits of shared memories begin; `None` in what is not a module.
fn shared_memories(module: &[u8]) -> Option<Vec<usize>> {
    let mut places = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::MemorySection(memories) => {
                let memories = memories.into_iter_with_offsets().filter_map(Result::ok);
                places.extend(memories.filter(|(_, kind)| kind.shared).map(|(place, _)| place));
            }
            Payload::ImportSection(imports) => {
                for group in imports.into_iter().filter_map(Result::ok) {
                    let Imports::Single(place, import) = group else { continue };
                    if matches!(import.ty, TypeRef::Memory(kind) if kind.shared) {
                        let names = [import.module, import.name];
                        let size: usize =
                            names.map(|name| name.len() + length_size(name)).iter().sum();
                        // The kind of the import, and then its limits.
                        places.push(place + size + 1);
                    }
                }
            }
            _ => {}
        }
    }
    Some(places)
}

/// Bytes that the length of a name takes (LEB128).
fn length_size(name: &str) -> usize {
    let bits = usize::BITS - name.len().max(1).leading_zeros();
    usize::try_from(bits.div_ceil(7)).unwrap_or(1)
}

/// # Errors
/// Envoy does not survive the module.
pub fn check_exports(module: &Module) -> Result<(), Error> {
    let vectors = module.exports().find(|export| match export.ty() {
        ExternType::Func(kind) => kind.params().chain(kind.results()).any(|kind| kind.is_v128()),
        _ => false,
    });
    match vectors {
        Some(export) => Err(Error::Crash(format!(
            "the exported function {:?} takes or returns a vector (v128)",
            export.name()
        ))),
        None => Ok(()),
    }
}

/// Why wasmtime does not take a module, whole, and with its place.
pub fn refusal(module: &[u8], error: &wasmtime::Error) -> Error {
    let text = format!("{error:#}");
    if text.contains("legacy_exceptions") || text.contains("legacy exceptions") {
        return Error::LegacyExceptions(text);
    }
    let _ = module;
    Error::NotWasm(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memories_of_any_place_become_unshared() {
        let long = "a".repeat(200);
        for text in [
            "(module (memory 1 2 shared))".to_owned(),
            "(module (import \"env\" \"memory\" (memory 1 2 shared)))".to_owned(),
            format!("(module (import \"env\" \"{long}\" (memory 1 2 shared)))"),
        ] {
            let module = wat::parse_str(&text).unwrap();
            assert_eq!(shared_memories(&module).unwrap().len(), 1, "{text}");
            let module = unshared(&module);
            assert!(shared_memories(&module).unwrap().is_empty(), "{text}");
        }
        let plain = wat::parse_str("(module (memory 1))").unwrap();
        assert!(matches!(unshared(&plain), Cow::Borrowed(_)));
    }
}
