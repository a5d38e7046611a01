//! The clock and the tick.

use super::call::{ENV, run};
use crate::events::Event;
use crate::status::Status;
use crate::vm::VmState;
use std::time::Duration;
use wasmtime::{Caller, Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_get_current_time_nanoseconds", now)?;
    linker.func_wrap(ENV, "proxy_set_tick_period_milliseconds", set_tick)?;
    Ok(())
}

fn now(guest: Caller<'_, VmState>, out: u32) -> Result<u32> {
    run(guest, "proxy_get_current_time_nanoseconds", |call| {
        let now = call.simulation().now.unix_nanos();
        call.write_u64(out, now)
    })
}

/// Always on the root context; 0 stops it.
fn set_tick(guest: Caller<'_, VmState>, milliseconds: u32) -> Result<u32> {
    run(guest, "proxy_set_tick_period_milliseconds", |call| {
        call.number("milliseconds", milliseconds);
        let (id, root) = call.state().subject_root().ok_or(Status::BadArgument)?;
        let period = Duration::from_millis(u64::from(milliseconds));
        root.tick_generation += 1;
        root.tick_period = (milliseconds > 0).then_some(period);
        let event = Event::Tick { root: id, generation: root.tick_generation };
        if milliseconds > 0 {
            let vm = call.vm();
            call.simulation().schedule(period, vm, event);
        }
        Ok(())
    })
}
