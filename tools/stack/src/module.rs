//! What a module may be to be shipped as the filter: its doors in both directions, and nothing that
//! tells where it was built. `cargo xtask dist` and the tests hold the same module to the same list.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use wasmparser::{ExportSectionReader, ImportSectionReader, Parser, Payload, TypeRef, Validator};

/// All that the filter exports (`filter/src/exports.rs`). Envoy enters the VM for each callback that is
/// there: for every chunk of an answer, for every log line, to be told nothing.
const EXPORTS: [&str; 13] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_tick",
];

/// The WASI functions Envoy has that do something harmless.
const WASI: [&str; 6] =
    ["random_get", "clock_time_get", "environ_get", "environ_sizes_get", "fd_write", "proc_exit"];

/// # Errors
/// It is no module; it exports more or less than the filter's callbacks; it asks its host for something
/// else than proxy-wasm and the harmless part of WASI; or it has a custom section (names, producers).
pub fn check(module: &[u8]) -> Result<()> {
    Validator::new().validate_all(module).context("no WebAssembly module")?;
    let mut exports = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("reading the module")? {
            Payload::ExportSection(section) => exports = names(section)?,
            Payload::ImportSection(section) => check_imports(section)?,
            Payload::CustomSection(section) => {
                bail!("the module has a custom section, {}: strip it", section.name());
            }
            _ => {}
        }
    }
    let wanted: BTreeSet<_> = EXPORTS.map(str::to_owned).into();
    let list = |names: BTreeSet<&String>| names.into_iter().cloned().collect::<Vec<_>>().join(", ");
    if exports != wanted {
        let more = list(exports.difference(&wanted).collect());
        let less = list(wanted.difference(&exports).collect());
        bail!("the module exports [{more}] beyond stack/src/module.rs, and not [{less}]");
    }
    Ok(())
}

fn names(section: ExportSectionReader<'_>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for export in section {
        names.insert(export.context("reading the module's exports")?.name.to_owned());
    }
    Ok(names)
}

fn check_imports(section: ImportSectionReader<'_>) -> Result<()> {
    for import in section.into_imports() {
        let import = import.context("reading the module's imports")?;
        let known = match import.module {
            "env" => import.name.starts_with("proxy_"),
            "wasi_snapshot_preview1" => WASI.contains(&import.name),
            _ => false,
        };
        if !known || !matches!(import.ty, TypeRef::Func(_)) {
            bail!("the module asks its host for {}.{}", import.module, import.name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with exactly the exports of the filter, and what is put into it.
    fn module(inside: &str) -> Vec<u8> {
        let functions = EXPORTS.into_iter().filter(|name| *name != "memory");
        let functions: String =
            functions.map(|name| format!("(func (export \"{name}\"))")).collect();
        let text = format!("(module {inside} (memory (export \"memory\") 1) {functions})");
        wat::parse_str(text).unwrap()
    }

    fn fault(inside: &str) -> String {
        check(&module(inside)).unwrap_err().to_string()
    }

    #[test]
    fn the_filters_doors_and_no_other() {
        check(&module("(import \"env\" \"proxy_log\" (func))")).unwrap();
        let more = "(func (export \"proxy_on_log\"))";
        assert!(fault(more).contains("[proxy_on_log] beyond"), "{}", fault(more));
        let less = check(&wat::parse_str("(module)").unwrap()).unwrap_err().to_string();
        assert!(less.contains("not [_initialize, memory"), "{less}");
    }

    #[test]
    fn what_a_module_asks_of_its_host() {
        for (asked, told) in [
            ("(import \"env\" \"dispatch\" (func))", "env.dispatch"),
            ("(import \"wasi_snapshot_preview1\" \"path_open\" (func))", "path_open"),
            ("(import \"env\" \"proxy_memory\" (global i32))", "env.proxy_memory"),
            ("(@custom \"name\" \"/home/somebody\")", "custom section, name"),
        ] {
            assert!(fault(asked).contains(told), "{asked}: {}", fault(asked));
        }
        let cut_off = check(b"\0asm").unwrap_err().to_string();
        assert_eq!(cut_off, "no WebAssembly module");
    }
}
