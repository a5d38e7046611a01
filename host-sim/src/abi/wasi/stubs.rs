//! What Envoy links of WASI and of emscripten, and what does nothing there.
//!
//! The signatures and the results are those of Envoy 1.40. A module that imports a single function measured
//! each of them. `path_link` has six parameters there instead of WASI's seven, and `path_symlink` and
//! `proc_raise` do not exist: a module that imports them by their standard signatures does not start.

use super::super::call::{ENV, GuestCaller, run_wasi};
use crate::vm::VmState;
use wasmtime::{Engine, FuncType, Linker, Result, Val, ValType};

/// Both names the same functions have gone by.
pub(super) const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// A WASI function without an effect.
#[derive(Clone, Copy)]
struct Stub {
    name: &'static str,
    /// `i` for an i32, `l` for an i64; every one returns an i32.
    params: &'static str,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Answer {
    /// The same errno, whatever the arguments are.
    Errno(u32),
    /// Success for standard output and error, [`BADF`] for any other file descriptor.
    OfOutput,
}

pub(super) const BADF: u32 = 8;
const EXIST: u32 = 20;
const NOENT: u32 = 44;
const NOSYS: u32 = 52;
pub(super) const NOTSUP: u32 = 58;

const STUBS: [Stub; 30] = [
    Stub::new("fd_advise", "illi", Answer::Errno(0)),
    Stub::new("fd_allocate", "ill", Answer::OfOutput),
    Stub::new("fd_close", "i", Answer::Errno(0)),
    Stub::new("fd_datasync", "i", Answer::OfOutput),
    Stub::new("fd_fdstat_set_flags", "ii", Answer::Errno(NOSYS)),
    Stub::new("fd_fdstat_set_rights", "ill", Answer::OfOutput),
    Stub::new("fd_filestat_get", "ii", Answer::Errno(BADF)),
    Stub::new("fd_filestat_set_size", "il", Answer::OfOutput),
    Stub::new("fd_filestat_set_times", "illi", Answer::OfOutput),
    Stub::new("fd_pread", "iiili", Answer::Errno(NOSYS)),
    Stub::new("fd_prestat_dir_name", "iii", Answer::Errno(NOSYS)),
    Stub::new("fd_prestat_get", "ii", Answer::Errno(BADF)),
    Stub::new("fd_read", "iiii", Answer::Errno(NOSYS)),
    Stub::new("fd_readdir", "iiili", Answer::Errno(EXIST)),
    Stub::new("fd_renumber", "ii", Answer::Errno(BADF)),
    Stub::new("fd_seek", "ilii", Answer::Errno(0)),
    Stub::new("fd_sync", "i", Answer::OfOutput),
    Stub::new("path_create_directory", "iii", Answer::Errno(NOTSUP)),
    Stub::new("path_filestat_get", "iiiii", Answer::Errno(NOTSUP)),
    Stub::new("path_filestat_set_times", "iiiilli", Answer::Errno(NOTSUP)),
    Stub::new("path_link", "iiiiii", Answer::Errno(NOTSUP)),
    Stub::new("path_open", "iiiiillii", Answer::Errno(NOENT)),
    Stub::new("path_readlink", "iiiiii", Answer::Errno(NOTSUP)),
    Stub::new("path_remove_directory", "iii", Answer::Errno(NOTSUP)),
    Stub::new("path_rename", "iiiiii", Answer::Errno(NOTSUP)),
    Stub::new("path_unlink_file", "iii", Answer::Errno(NOTSUP)),
    Stub::new("sock_accept", "iii", Answer::Errno(NOTSUP)),
    Stub::new("sock_recv", "iiiiii", Answer::Errno(NOTSUP)),
    Stub::new("sock_send", "iiiii", Answer::Errno(NOTSUP)),
    Stub::new("sock_shutdown", "ii", Answer::Errno(NOTSUP)),
];

pub(super) fn register(linker: &mut Linker<VmState>) -> Result<()> {
    for module in MODULES {
        for stub in &STUBS {
            stub.register(linker, module)?;
        }
    }
    linker.func_wrap(ENV, "emscripten_notify_memory_growth", |_memory: u32| ())?;
    linker.func_wrap(ENV, "pthread_equal", pthread_equal)?;
    Ok(())
}

/// Not an errno: 1 where both are the same thread.
fn pthread_equal(guest: GuestCaller<'_>, one: u32, other: u32) -> Result<u32> {
    run_wasi(guest, "pthread_equal", |_| if one == other { Err(1) } else { Ok(()) })
}

// === impl Stub ===

impl Stub {
    const fn new(name: &'static str, params: &'static str, answer: Answer) -> Self {
        Self { name, params, answer }
    }

    fn register(&self, linker: &mut Linker<VmState>, module: &str) -> Result<()> {
        let Self { name, answer, .. } = *self;
        linker.func_new(
            module,
            name,
            self.signature(linker.engine()),
            move |guest, params, results| {
                let errno = run_wasi(guest, name, |_| answer.give(params))?;
                if let Some(result) = results.first_mut() {
                    *result = Val::from(errno.cast_signed());
                }
                Ok(())
            },
        )?;
        Ok(())
    }

    fn signature(&self, engine: &Engine) -> FuncType {
        let kind = |letter| if letter == 'l' { ValType::I64 } else { ValType::I32 };
        FuncType::new(engine, self.params.chars().map(kind), [ValType::I32])
    }
}

// === impl Answer ===

impl Answer {
    fn give(self, params: &[Val]) -> std::result::Result<(), u32> {
        match (self, params) {
            (Self::Errno(0), _) | (Self::OfOutput, [Val::I32(1 | 2), ..]) => Ok(()),
            (Self::Errno(errno), _) => Err(errno),
            (Self::OfOutput, _) => Err(BADF),
        }
    }
}
