//! The custody service.
#![forbid(unsafe_code)]

use clap::Parser;
use custody::cli::Cli;
use custody::hardening::harden;
use mimalloc::MiMalloc;
use std::process::ExitCode;
use zeroizing_alloc::ZeroAlloc;

/// Wipes whatever is given back: the buffers of TLS, HTTP and JSON hold secrets too, and know nothing
/// of wiping.
#[global_allocator]
static MEMORY: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = harden() {
        eprintln!("custody: cannot switch core dumps off: {error}");
        return ExitCode::FAILURE;
    }
    cli.run()
}
