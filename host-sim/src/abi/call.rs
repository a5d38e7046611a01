//! One host call: may it be made now, what are its arguments, what does it return.

use crate::error::{Cause, Failure};
use crate::simulation::Simulation;
use crate::status::Status;
use crate::transcript::{Arg, ArgValue, Returned, TranscriptEvent};
use crate::vm::{Stage, VmState};
use std::cell::RefMut;
use wasmtime::{AsContextMut, Caller, Memory, Result, Trap};

/// Where the proxy-wasm functions are imported from.
pub(super) const ENV: &str = "env";

/// A host call in progress.
pub(super) struct Call<'a> {
    caller: Caller<'a, VmState>,
    pub function: &'static str,
    args: Vec<Arg>,
    records: bool,
    /// The guest pointed to a memory that is not there.
    has_no_memory: bool,
    /// Why Envoy does not survive the call.
    pub crash: Option<&'static str>,
}

/// The running guest, as wasmtime hands it to a host function.
pub(super) type GuestCaller<'a> = Caller<'a, VmState>;

pub(super) type CallResult = std::result::Result<(), Status>;

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
        Some(status) => Err(status),
        None => act(&mut call),
    };
    let status = outcome.err().unwrap_or(Status::Ok);
    call.end(Returned::Status(status))?;
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
    call.end(Returned::Errno(errno))?;
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
        Ok(Self { caller, function, args: Vec::new(), records, has_no_memory: false, crash: None })
    }

    fn ordered_fault(&mut self) -> Option<Status> {
        let function = self.function;
        let mut simulation = self.simulation();
        let nth = simulation.transcript.count(function);
        simulation.faults.answer(function, nth)
    }

    /// # Errors
    /// Envoy does not live to see the end of the call.
    fn end(self, status: Returned) -> Result<()> {
        if let Some(crash) = self.crash() {
            return Err(wasmtime::Error::new(crash));
        }
        if !self.records {
            return Ok(());
        }
        let state = self.caller.data();
        let (vm, context) = (state.number, state.subject());
        let what =
            TranscriptEvent::HostCall { function: self.function, context, args: self.args, status };
        state.simulation.borrow_mut().write(vm, what);
        Ok(())
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
    ) -> std::result::Result<Vec<u8>, Status> {
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
    ) -> std::result::Result<String, Status> {
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

    /// A trap in the allocator ends the VM, but the callback that is running first comes to its end.
    fn allocate(&mut self, size: usize) -> std::result::Result<u32, Status> {
        let unavailable = Status::InvalidMemoryAccess;
        let (name, allocator) = self.state().allocator.clone().ok_or(unavailable)?;
        let size = u32::try_from(size).map_err(|_| unavailable)?;
        let stage = std::mem::replace(&mut self.state().stage, Stage::Allocating);
        let allocated = allocator.call(self.caller.as_context_mut(), (size,));
        self.state().stage = stage;
        match allocated {
            Ok(0) => Err(unavailable),
            Ok(address) => Ok(address),
            Err(error) => {
                // Without fuel the callback itself ends at its next instruction.
                if error.downcast_ref::<Trap>() != Some(&Trap::OutOfFuel) {
                    let failure = Failure::new(name, 0, &error);
                    self.write_down(TranscriptEvent::VmFailed { failure: failure.clone() });
                    self.state().failed_under_call = Some(failure);
                }
                Err(unavailable)
            }
        }
    }

    /// Envoy ends where there is none; [`Self::end`] does so here.
    fn memory(&mut self) -> std::result::Result<Memory, Status> {
        let memory = self.caller.data().memory;
        self.has_no_memory |= memory.is_none();
        memory.ok_or(Status::InvalidMemoryAccess)
    }

    /// Envoy has nowhere to look for what the guest points to.
    fn crash(&self) -> Option<Cause> {
        if let Some(why) = self.crash {
            return Some(Cause::Crash(why.to_owned()));
        }
        let why = match self.caller.data().is_linked {
            true => "the module exports no memory, and calls",
            false => "before the module's start section has ended, it calls",
        };
        self.has_no_memory.then(|| Cause::Crash(format!("{why} {}", self.function)))
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

/// What a function that answers with a status has to say.
pub(super) fn done(status: Status) -> CallResult {
    if status == Status::Ok { Ok(()) } else { Err(status) }
}
