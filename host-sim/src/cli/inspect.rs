//! `host-sim inspect`: what a module is, without running it.

use super::exit::Exit;
use super::stdout::print_line;
use clap::Args;
use host_sim::{Module, Symbol};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub struct Inspect {
    /// The module.
    filter: PathBuf,
}

// === impl Inspect ===

impl Inspect {
    pub fn run(&self) -> Result<ExitCode, Exit> {
        let module = Module::open(&self.filter)?;
        print_line!("proxy-wasm ABI {}, {} bytes", module.abi(), module.size())?;
        print_line!("\nneeds of its host:")?;
        for Symbol { module, name, kind } in module.imports() {
            print_line!("  {module} {name} {kind}")?;
        }
        print_line!("\nis called at:")?;
        let (callbacks, others): (Vec<_>, Vec<_>) =
            module.exports().into_iter().partition(|export| export.name.starts_with("proxy_on_"));
        print_exports(&callbacks)?;
        print_line!("\nexports besides:")?;
        print_exports(&others)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print_exports(exports: &[Symbol]) -> Result<(), Exit> {
    for Symbol { name, kind, .. } in exports {
        print_line!("  {name} {kind}")?;
    }
    Ok(())
}
