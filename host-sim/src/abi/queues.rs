//! Shared queues.

use super::call::{ENV, Out, run};
use crate::events::Event;
use crate::status::Status;
use crate::vm::VmState;
use std::rc::Rc;
use std::time::Duration;
use wasmtime::{Caller, Linker, Result};

type Guest<'a> = Caller<'a, VmState>;

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_register_shared_queue", register_queue)?;
    linker.func_wrap(ENV, "proxy_resolve_shared_queue", resolve)?;
    linker.func_wrap(ENV, "proxy_enqueue_shared_queue", enqueue)?;
    linker.func_wrap(ENV, "proxy_dequeue_shared_queue", dequeue)?;
    Ok(())
}

/// The last registrant is the one that is told of arrivals.
fn register_queue(guest: Guest<'_>, name: u32, size: u32, out: u32) -> Result<u32> {
    run(guest, "proxy_register_shared_queue", |call| {
        let name = call.bytes("name", name, size)?;
        let vm = call.vm();
        let state = call.state();
        let root = state.root_of(state.subject());
        let identity = Rc::clone(&state.identity);
        let token = call.world().queues.register(&identity.vm_id, name, (vm, root));
        Ok(call.write_u32(out, token)?)
    })
}

fn resolve(
    guest: Guest<'_>,
    vm_id: u32,
    vm_id_size: u32,
    name: u32,
    name_size: u32,
    out: u32,
) -> Result<u32> {
    run(guest, "proxy_resolve_shared_queue", |call| {
        let vm_id = call.text("vm_id", vm_id, vm_id_size)?;
        let name = call.bytes("name", name, name_size)?;
        let token = call.world().queues.resolve(&vm_id, &name).ok_or(Status::NotFound)?;
        Ok(call.write_u32(out, token)?)
    })
}

fn enqueue(guest: Guest<'_>, token: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_enqueue_shared_queue", |call| {
        call.number("token", token);
        let item = call.bytes("item", address, size)?;
        let mut world = call.world();
        let (vm, root) = world.queues.enqueue(token, item)?;
        world.schedule(Duration::ZERO, vm, Event::Queue { root, token });
        Ok(())
    })
}

fn dequeue(guest: Guest<'_>, token: u32, address: u32, size: u32) -> Result<u32> {
    run(guest, "proxy_dequeue_shared_queue", |call| {
        call.number("token", token);
        let item = call.world().queues.dequeue(token)?;
        call.give(&item, Out { address, size })
    })
}
