//! Metrics.

use super::call::{ENV, GuestCaller, done, run};
use crate::stats::MetricKind;
use crate::status::Status;
use crate::vm::VmState;
use std::rc::Rc;
use wasmtime::{Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_define_metric", define)?;
    linker.func_wrap(ENV, "proxy_increment_metric", increment)?;
    linker.func_wrap(ENV, "proxy_record_metric", record)?;
    linker.func_wrap(ENV, "proxy_get_metric", get)?;
    Ok(())
}

/// A name defined twice has two ids and one value.
fn define(guest: GuestCaller<'_>, kind: u32, name: u32, size: u32, out: u32) -> Result<u32> {
    run(guest, "proxy_define_metric", |call| {
        call.number("kind", kind);
        let name = call.text("name", name, size)?;
        let kind = MetricKind::from_code(kind).ok_or(Status::BadArgument)?;
        call.simulation().stats.define(kind, &name);
        let id = call.state().metrics.define(kind, name);
        call.number("gives", id);
        call.write_u32(out, id)
    })
}

fn increment(guest: GuestCaller<'_>, id: u32, offset: i64) -> Result<u32> {
    run(guest, "proxy_increment_metric", |call| {
        call.number("metric", id);
        call.number("offset", offset);
        let state = call.state();
        let simulation = Rc::clone(&state.simulation);
        done(simulation.borrow_mut().stats.increment(&state.metrics, id, offset))
    })
}

fn record(guest: GuestCaller<'_>, id: u32, value: u64) -> Result<u32> {
    run(guest, "proxy_record_metric", |call| {
        call.number("metric", id);
        call.number("value", i64::try_from(value).unwrap_or(i64::MAX));
        let state = call.state();
        let simulation = Rc::clone(&state.simulation);
        done(simulation.borrow_mut().stats.record(&state.metrics, id, value))
    })
}

fn get(guest: GuestCaller<'_>, id: u32, out: u32) -> Result<u32> {
    run(guest, "proxy_get_metric", |call| {
        call.number("metric", id);
        let state = call.state();
        let simulation = Rc::clone(&state.simulation);
        let value = simulation.borrow().stats.get(&state.metrics, id)?;
        call.write_u64(out, value)
    })
}
