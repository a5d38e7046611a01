//! Cuts from a finished module the callbacks Envoy need not make.
//!
//! The SDK exports every `proxy_on_*` there is, and Envoy enters the VM for each that a module
//! exports: for every body chunk of an answer, for every log line, one or two microseconds to be told
//! nothing. Whoever makes a module says which callbacks do something; the exports of the others go.
//! Every other section is copied byte for byte, so the code that runs is the code that was built.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{Export, ExternalKind, Parser, Payload, Validator};

/// What the host calls when something happens to a stream, a callout or the plugin.
const CALLBACK: &str = "proxy_on_";
/// The host's way to memory, which only has the name of a callback.
const ALLOCATOR: &str = "proxy_on_memory_allocate";

/// `module` without the callbacks that are not in `keep`, and without custom sections.
///
/// # Errors
/// No module; or it does not export a callback that is to be kept, so the list is out of date.
pub fn strip(module: &[u8], keep: &BTreeSet<String>) -> Result<Vec<u8>> {
    let mut stripped = Module::new();
    let mut missing = keep.clone();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("reading the module")?;
        match &payload {
            Payload::CustomSection(_) => {}
            Payload::ExportSection(exports) => {
                let mut kept = ExportSection::new();
                for export in exports.clone() {
                    let export = export.context("reading the module's exports")?;
                    if is_kept(export.name, keep) {
                        missing.remove(export.name);
                        kept.export(export.name, kind(&export)?, export.index);
                    }
                }
                stripped.section(&kept);
            }
            _ => {
                if let Some((id, range)) = payload.as_section() {
                    let data = module.get(range).context("a section beyond the module's end")?;
                    stripped.section(&RawSection { id, data });
                }
            }
        }
    }
    if let Some(name) = missing.first() {
        bail!("the module does not export {name}, which filter/Cargo.toml says it needs");
    }
    let stripped = stripped.finish();
    Validator::new().validate_all(&stripped).context("the stripped module")?;
    Ok(stripped)
}

fn is_kept(name: &str, keep: &BTreeSet<String>) -> bool {
    !name.starts_with(CALLBACK) || name == ALLOCATOR || keep.contains(name)
}

fn kind(export: &Export<'_>) -> Result<ExportKind> {
    Ok(match export.kind {
        ExternalKind::Func => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        other => bail!("the module exports {} as a {other:?}", export.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two callbacks, the allocator, and what is no callback at all.
    const MODULE: &str = r#"(module
        (memory (export "memory") 1)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) i32.const 0)
        (func (export "proxy_on_log") (param i32))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 8)
        (func (export "proxy_abi_version_0_2_1"))
        (@custom "note" "written by hand"))"#;

    fn exports(module: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload.unwrap() {
                Payload::ExportSection(section) => {
                    names.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
                }
                Payload::CustomSection(section) => panic!("{}", section.name()),
                _ => {}
            }
        }
        names
    }

    fn keep(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn callbacks_that_nobody_asked_for_go_and_all_else_stays() {
        let module = wat::parse_str(MODULE).unwrap();
        let stripped = strip(&module, &keep(&["proxy_on_request_headers"])).unwrap();
        let left = [
            "memory",
            "proxy_on_request_headers",
            "proxy_on_memory_allocate",
            "proxy_abi_version_0_2_1",
        ];
        assert_eq!(exports(&stripped), left);
    }

    #[test]
    fn a_callback_that_the_module_does_not_have_is_an_error() {
        let module = wat::parse_str(MODULE).unwrap();
        let error = strip(&module, &keep(&["proxy_on_tick"])).unwrap_err().to_string();
        assert!(error.contains("proxy_on_tick"), "{error}");
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(strip(b"\0asm", &keep(&[])).is_err());
    }
}
