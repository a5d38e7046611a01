//! One host call: may it be made now, what are its arguments, what does it return.

use crate::error::Cause;
use crate::simulation::Simulation;
use crate::status::Status;
use crate::transcript::{Arg, ArgValue, Returned, TranscriptEvent};
use crate::vm::{Stage, VmState};
use std::cell::RefMut;
use wasmtime::{AsContextMut, Caller, Extern, Memory, Result};

/// Where the proxy-wasm functions are imported from.
pub(super) const ENV: &str = "env";

/// A host call in progress.
pub(super) struct Call<'a> {
    caller: Caller<'a, VmState>,
    pub function: &'static str,
    args: Vec<Arg>,
    records: bool,
}

/// Why a host call stops early.
pub(super) enum EarlyReturn {
    Status(Status),
    /// The guest's allocator trapped under the call.
    Trap(wasmtime::Error),
}

/// The running guest, as wasmtime hands it to a host function.
pub(super) type GuestCaller<'a> = Caller<'a, VmState>;

pub(super) type CallResult = std::result::Result<(), EarlyReturn>;

/// A place in guest memory where a result's address, or a number, is written.
#[derive(Clone, Copy)]
pub(super) struct OutPointer {
    pub address: u32,
    pub size: u32,
}

/// Runs a proxy-wasm host function.
pub(super) fn run(
    caller: Caller<'_, VmState>,
    function: &'static str,
    act: impl FnOnce(&mut Call<'_>) -> CallResult,
) -> Result<u32> {
    let mut call = Call::begin(caller, function)?;
    let outcome = match call.ordered_fault() {
        Some(status) => Err(EarlyReturn::Status(status)),
        None => act(&mut call),
    };
    let status = match outcome {
        Ok(()) => Status::Ok,
        Err(EarlyReturn::Status(status)) => status,
        Err(EarlyReturn::Trap(error)) => return Err(error),
    };
    call.end(Returned::Status(status));
    Ok(status.code())
}

/// Runs a WASI function, which returns an errno.
pub(super) fn run_wasi(
    caller: Caller<'_, VmState>,
    function: &'static str,
    act: impl FnOnce(&mut Call<'_>) -> std::result::Result<(), u32>,
) -> Result<u32> {
    let mut call = Call::begin(caller, function)?;
    let errno = match call.ordered_fault() {
        Some(status) => status.code(),
        None => act(&mut call).err().unwrap_or(0),
    };
    call.end(Returned::Errno(errno));
    Ok(errno)
}

// === impl Call ===

impl<'a> Call<'a> {
    fn begin(caller: Caller<'a, VmState>, function: &'static str) -> Result<Self> {
        let stage = caller.data().stage;
        if !is_allowed(stage, function) {
            let stage = match stage {
                Stage::Allocating => "inside its allocator",
                _ => "before on_vm_start",
            };
            return Err(wasmtime::Error::new(Cause::Forbidden { function, stage }));
        }
        let records = caller.data().simulation.borrow().transcript.records_calls();
        Ok(Self { caller, function, args: Vec::new(), records })
    }

    fn ordered_fault(&mut self) -> Option<Status> {
        let function = self.function;
        let mut simulation = self.simulation();
        let nth = simulation.transcript.count(function);
        simulation.faults.answer(function, nth)
    }

    fn end(self, status: Returned) {
        if !self.records {
            return;
        }
        let state = self.caller.data();
        let (vm, context) = (state.number, state.subject());
        let what =
            TranscriptEvent::HostCall { function: self.function, context, args: self.args, status };
        state.simulation.borrow_mut().write(vm, what);
    }

    pub fn state(&mut self) -> &mut VmState {
        self.caller.data_mut()
    }

    pub fn simulation(&self) -> RefMut<'_, Simulation> {
        self.caller.data().simulation.borrow_mut()
    }

    pub fn vm(&self) -> usize {
        self.caller.data().number
    }

    pub fn write_down(&self, what: TranscriptEvent) {
        self.simulation().write(self.vm(), what);
    }

    /// Notes a plain number among the arguments.
    pub fn number(&mut self, name: &'static str, value: impl Into<i64>) {
        if self.records {
            self.args.push(Arg { name, value: ArgValue::Number(value.into()) });
        }
    }

    /// Reads bytes of the guest, and notes them among the arguments.
    pub fn bytes(
        &mut self,
        name: &'static str,
        address: u32,
        size: u32,
    ) -> std::result::Result<Vec<u8>, EarlyReturn> {
        let bytes = self.read(address, size)?;
        if self.records {
            self.args.push(Arg { name, value: ArgValue::Bytes(bytes.clone()) });
        }
        Ok(bytes)
    }

    pub fn text(
        &mut self,
        name: &'static str,
        address: u32,
        size: u32,
    ) -> std::result::Result<String, EarlyReturn> {
        Ok(String::from_utf8_lossy(&self.bytes(name, address, size)?).into_owned())
    }

    pub fn read(&mut self, address: u32, size: u32) -> std::result::Result<Vec<u8>, Status> {
        let memory = self.memory()?;
        let (start, size) = (to_usize(address), to_usize(size));
        let end = start.checked_add(size).ok_or(Status::InvalidMemoryAccess)?;
        let bytes = memory.data(&self.caller).get(start..end);
        Ok(bytes.ok_or(Status::InvalidMemoryAccess)?.to_vec())
    }

    pub fn write(&mut self, address: u32, bytes: &[u8]) -> std::result::Result<(), Status> {
        let memory = self.memory()?;
        let written = memory.write(&mut self.caller, to_usize(address), bytes);
        written.map_err(|_| Status::InvalidMemoryAccess)
    }

    pub fn write_u32(&mut self, address: u32, number: u32) -> std::result::Result<(), Status> {
        self.write(address, &number.to_le_bytes())
    }

    pub fn write_u64(&mut self, address: u32, number: u64) -> std::result::Result<(), Status> {
        self.write(address, &number.to_le_bytes())
    }

    /// Hands bytes over in memory of the guest's own allocator; no bytes are address 0, size 0.
    pub fn give(&mut self, bytes: &[u8], out: OutPointer) -> CallResult {
        if self.records {
            self.args.push(Arg { name: "gives", value: ArgValue::Bytes(bytes.to_vec()) });
        }
        let address = if bytes.is_empty() { 0 } else { self.allocate(bytes.len())? };
        self.write(address, bytes)?;
        self.write_u32(out.address, address)?;
        self.write_u32(out.size, u32::try_from(bytes.len()).unwrap_or(u32::MAX))?;
        Ok(())
    }

    fn allocate(&mut self, size: usize) -> std::result::Result<u32, EarlyReturn> {
        let unavailable = EarlyReturn::Status(Status::InvalidMemoryAccess);
        let Some(allocator) = self.state().allocator.clone() else { return Err(unavailable) };
        let size = u32::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?;
        let stage = std::mem::replace(&mut self.state().stage, Stage::Allocating);
        let allocated = allocator.call(self.caller.as_context_mut(), (size,));
        self.state().stage = stage;
        match allocated {
            Ok(0) => Err(unavailable),
            Ok(address) => Ok(address),
            Err(error) => Err(EarlyReturn::Trap(error)),
        }
    }

    fn memory(&mut self) -> std::result::Result<Memory, Status> {
        if let Some(memory) = self.caller.data().memory {
            return Ok(memory);
        }
        // Only the module's start function runs before the memory is known.
        match self.caller.get_export("memory") {
            Some(Extern::Memory(memory)) => Ok(memory),
            _ => Err(Status::InvalidMemoryAccess),
        }
    }
}

/// What Envoy lets a guest call outside of its callbacks.
fn is_allowed(stage: Stage, function: &str) -> bool {
    match stage {
        Stage::Running => true,
        Stage::Allocating => matches!(
            function,
            "proxy_log" | "fd_write" | "clock_time_get" | "poll_oneoff" | "proc_exit"
        ),
        Stage::Initializing => match function {
            "fd_close" | "fd_read" | "fd_seek" | "path_open" => false,
            "proc_exit" | "pthread_equal" | "sched_yield" => false,
            _ => function == "proxy_log" || !function.starts_with("proxy_"),
        },
    }
}

fn to_usize(number: u32) -> usize {
    // wasmtime runs on 64-bit hosts, where this always fits.
    usize::try_from(number).unwrap_or(usize::MAX)
}

// === impl EarlyReturn ===

impl From<Status> for EarlyReturn {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// What a function that answers with a status has to say.
pub(super) fn done(status: Status) -> CallResult {
    if status == Status::Ok { Ok(()) } else { Err(EarlyReturn::Status(status)) }
}
