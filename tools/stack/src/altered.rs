//! The filter's module, altered for a test: other bytes with the same code, and code that traps where a
//! test wants it.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use wasmparser::{Parser, Payload, TypeRef};

/// `unreachable`, `nop` and `end`.
const UNREACHABLE: u8 = 0x00;
const NOP: u8 = 0x01;
const END: u8 = 0x0b;

/// The same code in other bytes: a custom section more. Envoy gives such a module a VM of its own.
#[must_use]
pub fn other_bytes(module: &[u8]) -> Vec<u8> {
    // Section 0 of two bytes: a name of one byte, and nothing in it.
    [module, &[0, 2, 1, b'x']].concat()
}

/// The same module, but for the exported function `export`, which traps at once.
///
/// # Errors
/// It is not a module, or it does not export such a function of its own.
pub fn trapping(module: &[u8], export: &str) -> Result<Vec<u8>> {
    let body = body(module, export)?;
    let mut module = module.to_vec();
    let Some([locals, first, rest @ .., end]) = module.get_mut(body) else {
        bail!("the function {export} has no room for a trap");
    };
    // No locals; what follows the trap is never reached, and has to be valid all the same.
    (*locals, *first, *end) = (0, UNREACHABLE, END);
    rest.fill(NOP);
    Ok(module)
}

/// Where the body of an exported function is.
fn body(module: &[u8], export: &str) -> Result<Range<usize>> {
    let (mut imported, mut bodies, mut index) = (0, Vec::new(), None);
    for payload in Parser::new(0).parse_all(module) {
        match payload.context("reading the module")? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.context("reading the module's imports")?;
                    imported += usize::from(matches!(import.ty, TypeRef::Func(_)));
                }
            }
            Payload::ExportSection(section) => {
                for found in section {
                    let found = found.context("reading the module's exports")?;
                    if found.name == export {
                        index = Some(usize::try_from(found.index)?);
                    }
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range()),
            _ => {}
        }
    }
    let index = index.and_then(|index| index.checked_sub(imported));
    let body = index.and_then(|index| bodies.get(index));
    body.cloned().with_context(|| format!("the module has no function {export} of its own"))
}

#[cfg(test)]
mod tests {
    use wasmparser::Validator;

    use super::*;

    const MODULE: &str = r#"(module
      (import "env" "proxy_log" (func))
      (func (export "kept") (result i32) (i32.const 1))
      (func (export "broken") (param i32) (result i32) (local i64)
        (i32.add (local.get 0) (i32.const 1))))"#;

    #[test]
    fn altered_modules_are_valid_and_only_the_named_function_differs() {
        let module = wat::parse_str(MODULE).unwrap();
        for altered in [other_bytes(&module), trapping(&module, "broken").unwrap()] {
            Validator::new().validate_all(&altered).unwrap();
            assert_ne!(altered, module);
        }
        let altered = trapping(&module, "broken").unwrap();
        let kept = body(&module, "kept").unwrap();
        assert_eq!(altered[kept.clone()], module[kept]);
        assert_eq!(altered[body(&module, "broken").unwrap()][..2], [0, UNREACHABLE]);
        assert!(trapping(&module, "proxy_log").is_err());
    }
}
