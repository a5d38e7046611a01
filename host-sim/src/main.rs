//! `host-sim`: runs proxy-wasm filters without a proxy.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
