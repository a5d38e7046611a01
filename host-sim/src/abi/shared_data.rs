//! Shared data, keyed by `vm_id` alone.

use super::call::{ENV, GuestCaller, OutPointer, done, run};
use crate::status::Status;
use crate::vm::VmState;
use std::rc::Rc;
use wasmtime::{Linker, Result};

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    linker.func_wrap(ENV, "proxy_get_shared_data", get)?;
    linker.func_wrap(ENV, "proxy_set_shared_data", set)?;
    Ok(())
}

fn get(
    guest: GuestCaller<'_>,
    key: u32,
    key_size: u32,
    address: u32,
    size: u32,
    cas_out: u32,
) -> Result<u32> {
    run(guest, "proxy_get_shared_data", |call| {
        let key = call.bytes("key", key, key_size)?;
        let identity = Rc::clone(&call.state().identity);
        let found = call.simulation().shared_data.get(&identity.vm_id, &key).cloned();
        let (value, cas) = found.ok_or(Status::NotFound)?;
        call.give(&value, OutPointer { address, size })?;
        call.write_u32(cas_out, cas)
    })
}

fn set(
    guest: GuestCaller<'_>,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
    cas: u32,
) -> Result<u32> {
    run(guest, "proxy_set_shared_data", |call| {
        let key = call.bytes("key", key, key_size)?;
        let value = call.bytes("value", value, value_size)?;
        call.number("cas", cas);
        let identity = Rc::clone(&call.state().identity);
        let status = call.simulation().shared_data.set(&identity.vm_id, key, value, cas);
        done(status)
    })
}
