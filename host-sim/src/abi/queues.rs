//! Shared queues.

use super::call::{ENV, GuestCaller, OutPointer, run};
use crate::events::Event;
use crate::status::Status;
use crate::vm::VmState;
use std::rc::Rc;
use std::time::Duration;
use wasmtime::{Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_register_shared_queue", register_queue)?;
    linker.func_wrap(ENV, "proxy_resolve_shared_queue", resolve)?;
    linker.func_wrap(ENV, "proxy_enqueue_shared_queue", enqueue)?;
    linker.func_wrap(ENV, "proxy_dequeue_shared_queue", dequeue)?;
    Ok(())
}

/// The last registrant is the one that is told of arrivals.
fn register_queue(guest: GuestCaller<'_>, name: u32, size: u32, out: u32) -> Result<u32> {
    run(guest, "proxy_register_shared_queue", |call| {
        let name = call.bytes("name", name, size)?;
        let vm = call.vm();
        let state = call.state();
        let root = state.root_of(state.subject());
        let identity = Rc::clone(&state.identity);
        let token = call.simulation().queues.register(&identity.vm_id, name, (vm, root));
        call.write_u32(out, token)
    })
}

fn resolve(
    guest: GuestCaller<'_>,
    vm_id: u32,
    vm_id_size: u32,
    name: u32,
    name_size: u32,
    out: u32,
) -> Result<u32> {
    run(guest, "proxy_resolve_shared_queue", |call| {
        let vm_id = call.text("vm_id", vm_id, vm_id_size)?;
        let name = call.bytes("name", name, name_size)?;
        let token = call.simulation().queues.resolve(&vm_id, &name).ok_or(Status::NotFound)?;
        call.write_u32(out, token)
    })
}

fn enqueue(guest: GuestCaller<'_>, token: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_enqueue_shared_queue", |call| {
        call.number("token", token);
        let item = call.bytes("item", address, size)?;
        let mut simulation = call.simulation();
        let (vm, root) = simulation.queues.enqueue(token, item)?;
        simulation.schedule(Duration::ZERO, vm, Event::Queue { root, token });
        Ok(())
    })
}

fn dequeue(guest: GuestCaller<'_>, token: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_dequeue_shared_queue", |call| {
        call.number("token", token);
        let item = call.simulation().queues.dequeue(token)?;
        call.give(&item, OutPointer { address, size })
    })
}
