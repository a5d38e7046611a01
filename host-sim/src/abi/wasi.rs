//! The part of WASI that Envoy has: output to the log, clocks, randomness, environment.
//!
//! The rest can be imported and does nothing ([`stubs`]).

mod stubs;

use super::call::{Call, GuestCaller, run_wasi};
use crate::transcript::{Level, TranscriptEvent};
use crate::vm::VmState;
use stubs::{BADF, MODULES, NOTSUP};
use wasmtime::{Linker, Result};

const FAULT: u32 = 21;
const INVAL: u32 = 28;
/// Nanoseconds that the monotonic clock shows at the start: an hour, as of a machine that has been up for a
/// while. Go's runtime ends at a monotonic clock of zero.
const UPTIME: u64 = 3600 * 1_000_000_000;
const MAX_RANDOM: u32 = 64 * 1024;

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    for name in MODULES {
        linker.func_wrap(name, "fd_write", fd_write)?;
        linker.func_wrap(name, "fd_pwrite", fd_pwrite)?;
        linker.func_wrap(name, "fd_tell", fd_tell)?;
        linker.func_wrap(name, "fd_fdstat_get", fd_fdstat_get)?;
        linker.func_wrap(name, "clock_time_get", clock_time_get)?;
        linker.func_wrap(name, "clock_res_get", clock_res_get)?;
        linker.func_wrap(name, "random_get", random_get)?;
        linker.func_wrap(name, "environ_get", environ_get)?;
        linker.func_wrap(name, "environ_sizes_get", environ_sizes_get)?;
        linker.func_wrap(name, "args_get", args_get)?;
        linker.func_wrap(name, "args_sizes_get", sizes_of_nothing)?;
        linker.func_wrap(name, "sched_yield", sched_yield)?;
        linker.func_wrap(name, "poll_oneoff", poll_oneoff)?;
        linker.func_wrap(name, "proc_exit", proc_exit)?;
    }
    stubs::register(linker)
}

/// Standard output is logged as info, standard error as error.
fn fd_write(
    guest: GuestCaller<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    written: u32,
) -> Result<u32> {
    log_output(guest, "fd_write", fd, [vectors, count, written])
}

/// As `fd_write`: the output has no positions.
fn fd_pwrite(
    guest: GuestCaller<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    _offset: u64,
    written: u32,
) -> Result<u32> {
    log_output(guest, "fd_pwrite", fd, [vectors, count, written])
}

fn log_output(
    guest: GuestCaller<'_>,
    function: &'static str,
    fd: u32,
    [vectors, count, written]: [u32; 3],
) -> Result<u32> {
    run_wasi(guest, function, |call| {
        let level = match fd {
            1 => Level::Info,
            2 => Level::Error,
            _ => return Err(BADF),
        };
        let mut text = Vec::new();
        for n in 0..count {
            let vector = n.checked_mul(8).and_then(|offset| vectors.checked_add(offset));
            text.extend(read_vector(call, vector.ok_or(FAULT)?)?);
        }
        let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
        if !text.is_empty() {
            let text = String::from_utf8_lossy(&text);
            let message = text.strip_suffix('\n').unwrap_or(&text).to_owned();
            let context = call.state().subject();
            call.write_down(TranscriptEvent::Log { context, level, message });
        }
        call.write_u32(written, size).map_err(|_| FAULT)
    })
}

/// The output is always at its beginning.
fn fd_tell(guest: GuestCaller<'_>, fd: u32, out: u32) -> Result<u32> {
    run_wasi(guest, "fd_tell", |call| match fd {
        1 | 2 => call.write_u64(out, 0).map_err(|_| FAULT),
        _ => Err(BADF),
    })
}

fn read_vector(call: &mut Call<'_>, at: u32) -> std::result::Result<Vec<u8>, u32> {
    let mut words = [0u32; 2];
    for (word, offset) in words.iter_mut().zip([0, 4]) {
        let address = at.checked_add(offset).ok_or(FAULT)?;
        let bytes = call.read(address, 4).map_err(|_| FAULT)?;
        *word = bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    }
    let [address, size] = words;
    call.read(address, size).map_err(|_| FAULT)
}

/// A character device that can be written, for standard output and error.
fn fd_fdstat_get(guest: GuestCaller<'_>, fd: u32, out: u32) -> Result<u32> {
    run_wasi(guest, "fd_fdstat_get", |call| {
        if fd != 1 && fd != 2 {
            return Err(BADF);
        }
        let mut stat = [0u8; 24];
        stat[8] = 64;
        call.write(out, &stat).map_err(|_| FAULT)
    })
}

/// 0 is the time of day, 1 counts from [`UPTIME`] before the start of the simulation.
fn clock_time_get(guest: GuestCaller<'_>, clock: u32, _precision: u64, out: u32) -> Result<u32> {
    run_wasi(guest, "clock_time_get", |call| {
        call.number("clock", clock);
        let nanos = {
            let simulation = call.simulation();
            match clock {
                0 => simulation.now.unix_nanos(),
                1 => UPTIME + (simulation.now.unix_nanos() - simulation.started.unix_nanos()),
                _ => return Err(NOTSUP),
            }
        };
        call.write_u64(out, nanos).map_err(|_| FAULT)
    })
}

fn clock_res_get(guest: GuestCaller<'_>, clock: u32, out: u32) -> Result<u32> {
    run_wasi(guest, "clock_res_get", |call| match clock {
        0 | 1 => call.write_u64(out, 1).map_err(|_| FAULT),
        _ => Err(NOTSUP),
    })
}

fn random_get(guest: GuestCaller<'_>, address: u32, size: u32) -> Result<u32> {
    run_wasi(guest, "random_get", |call| {
        call.number("size", size);
        if size > MAX_RANDOM {
            return Err(INVAL);
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        call.simulation().random.fill(&mut bytes);
        call.write(address, &bytes).map_err(|_| FAULT)
    })
}

fn environ_get(guest: GuestCaller<'_>, pointers: u32, texts: u32) -> Result<u32> {
    run_wasi(guest, "environ_get", |call| {
        let (mut pointer, mut text) = (pointers, texts);
        for entry in environment(call) {
            call.write_u32(pointer, text).map_err(|_| FAULT)?;
            call.write(text, &entry).map_err(|_| FAULT)?;
            pointer = pointer.checked_add(4).ok_or(FAULT)?;
            let size = u32::try_from(entry.len()).map_err(|_| FAULT)?;
            text = text.checked_add(size).ok_or(FAULT)?;
        }
        Ok(())
    })
}

fn environ_sizes_get(guest: GuestCaller<'_>, count: u32, size: u32) -> Result<u32> {
    run_wasi(guest, "environ_sizes_get", |call| {
        let entries = environment(call);
        let bytes: usize = entries.iter().map(Vec::len).sum();
        call.write_u32(count, u32::try_from(entries.len()).unwrap_or(u32::MAX))
            .and_then(|()| call.write_u32(size, u32::try_from(bytes).unwrap_or(u32::MAX)))
            .map_err(|_| FAULT)
    })
}

/// `NAME=value` with a NUL behind it, each.
fn environment(call: &mut Call<'_>) -> Vec<Vec<u8>> {
    let entries = call.state().environment.iter();
    entries.map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect()
}

fn args_get(guest: GuestCaller<'_>, _pointers: u32, _texts: u32) -> Result<u32> {
    run_wasi(guest, "args_get", |_| Ok(()))
}

fn sizes_of_nothing(guest: GuestCaller<'_>, count: u32, size: u32) -> Result<u32> {
    run_wasi(guest, "args_sizes_get", |call| {
        call.write_u32(count, 0).and_then(|()| call.write_u32(size, 0)).map_err(|_| FAULT)
    })
}

fn sched_yield(guest: GuestCaller<'_>) -> Result<u32> {
    run_wasi(guest, "sched_yield", |_| Ok(()))
}

/// Nothing to wait for: no events.
fn poll_oneoff(guest: GuestCaller<'_>, _from: u32, _to: u32, _count: u32, out: u32) -> Result<u32> {
    run_wasi(guest, "poll_oneoff", |call| call.write_u32(out, 0).map_err(|_| FAULT))
}

/// Envoy does nothing, and the guest goes on.
fn proc_exit(guest: GuestCaller<'_>, _code: u32) -> Result<()> {
    run_wasi(guest, "proc_exit", |_| Ok(())).map(|_| ())
}
