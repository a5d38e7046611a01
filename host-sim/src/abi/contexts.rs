//! Which context the guest speaks for, and when it is done with one.

use super::call::{ENV, run};
use crate::status::Status;
use crate::vm::{Deferred, VmState};
use wasmtime::{Caller, Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_set_effective_context", set_effective)?;
    linker.func_wrap(ENV, "proxy_done", done)?;
    linker.func_wrap(ENV, "proxy_get_status", status)?;
    Ok(())
}

/// Holds until the callback returns; 0 is the context that was called.
fn set_effective(guest: Caller<'_, VmState>, context: u32) -> Result<u32> {
    run(guest, "proxy_set_effective_context", |call| {
        call.number("context", context);
        let state = call.state();
        if context != 0 && !state.contexts.contains_key(&context) {
            return Err(Status::BadArgument);
        }
        state.effective = context;
        Ok(())
    })
}

/// For a root whose `on_done` said "not yet".
fn done(guest: Caller<'_, VmState>) -> Result<u32> {
    run(guest, "proxy_done", |call| {
        let state = call.state();
        let (id, root) = state.subject_root().ok_or(Status::NotFound)?;
        if !std::mem::take(&mut root.done_pending) {
            return Err(Status::NotFound);
        }
        state.deferred.push_back(Deferred::Delete { context: id });
        Ok(())
    })
}

/// Code and message of the last callout that failed.
fn status(guest: Caller<'_, VmState>, code: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_get_status", |call| {
        let found = call.state().subject_root().map(|(_, root)| root.status.clone());
        let (number, message) = found.ok_or(Status::NotFound)?;
        call.write_u32(code, number)?;
        call.give(message.as_bytes(), super::call::OutPointer { address, size })
    })
}
