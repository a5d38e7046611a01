//! `proxy_log`, and `proxy_get_log_level` since ABI 0.2.1.

use super::call::{ENV, run};
use crate::module::AbiVersion;
use crate::status::Status;
use crate::transcript::{Level, TranscriptEvent};
use crate::vm::VmState;
use wasmtime::{Caller, Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>, version: AbiVersion) -> Result<()> {
    linker.func_wrap(ENV, "proxy_log", log)?;
    if version >= AbiVersion::V0_2_1 {
        linker.func_wrap(ENV, "proxy_get_log_level", level)?;
    }
    Ok(())
}

fn log(guest: Caller<'_, VmState>, level: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_log", |call| {
        let known = Level::from_code(level).ok_or(Status::BadArgument)?;
        call.number("level", level);
        let message = call.text("message", address, size)?;
        let context = call.state().subject();
        call.write_down(TranscriptEvent::Log { context, level: known, message });
        Ok(())
    })
}

/// Everything is logged here: level trace.
fn level(guest: Caller<'_, VmState>, out: u32) -> Result<u32> {
    run(guest, "proxy_get_log_level", |call| call.write_u32(out, 0))
}
