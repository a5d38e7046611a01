//! WASI: what a guest gets that calls what its runtime has linked.

use crate::prober::Arg::{self, Long, Number, Out, Word};
use crate::prober::Gives::{self, Nothing};
use crate::prober::{Prober, WASI};

/// File descriptors: the three standard ones, the first of a preopened folder, and one that nobody opened.
const DESCRIPTORS: [i32; 5] = [0, 1, 2, 3, 99];

/// Functions whose first argument is no file descriptor, or that write where their arguments say.
const OTHERS: [&str; 10] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "fd_tell",
    "environ_sizes_get",
    "poll_oneoff",
    "random_get",
    "sched_yield",
];

/// Every function that takes a file descriptor, with each of them; all other arguments are zero.
pub fn descriptors(prober: &mut Prober) {
    prober.story("WASI, by file descriptor");
    for (name, params) in WASI {
        if OTHERS.contains(&name) {
            continue;
        }
        for descriptor in DESCRIPTORS {
            let rest = params.chars().skip(1);
            let rest = rest.map(|kind| if kind == 'l' { Long(0) } else { Number(0) });
            let args: Vec<Arg<'_>> = [Number(descriptor)].into_iter().chain(rest).collect();
            prober.call(&format!("{name} of {descriptor}"), name, &args, Nothing);
        }
    }
}

pub fn surroundings(prober: &mut Prober) {
    prober
        .story("WASI, the surroundings")
        .call("args_sizes_get", "args_sizes_get", &[Out], Gives::Long)
        .call("args_get", "args_get", &[Out], Gives::Long)
        .call("environ_sizes_get", "environ_sizes_get", &[Out], Gives::Long)
        .call("environ_get", "environ_get", &[Out], Gives::Long)
        .call("sched_yield", "sched_yield", &[], Nothing)
        .call("fd_tell", "fd_tell", &[Number(1), Word], Gives::Long)
        .call("fd_tell of no output", "fd_tell", &[Number(3), Word], Gives::Long)
        .call(
            "poll_oneoff",
            "poll_oneoff",
            &[Number(3072), Number(3200), Number(1), Word],
            Gives::Word,
        )
        .call("pthread_equal", "pthread_equal", &[Number(7), Number(7)], Nothing)
        .call("pthread_equal of two", "pthread_equal", &[Number(7), Number(8)], Nothing);
    for clock in 0..5 {
        prober
            .call("clock_res_get", "clock_res_get", &[Number(clock), Word], Gives::Long)
            // The clocks of two hosts differ.
            .call("clock_time_get", "clock_time_get", &[Number(clock), Long(0), Word], Nothing);
    }
    for size in [0, 64, 65_536, 65_537] {
        prober.call("random_get", "random_get", &[Number(1 << 21), Number(size)], Nothing);
    }
}
