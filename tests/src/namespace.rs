//! A network of a test's own: loopback and nothing else, root in it, every port free. Made as an
//! unprivileged user may make one (`unshare -rn`), so this needs util-linux and iproute2, and a kernel
//! that lets users do so; where it cannot, it fails.

use std::env;
use std::process::{Command, Output};

/// Set in the test's second life.
const INSIDE: &str = "LEASEHOLD_NAMESPACE_INSIDE";

/// Runs `inside`, the whole of the test of this name, in a network of its own: in a second process of
/// the same test program.
///
/// # Panics
/// There is no such network to be had, or `inside` panics.
pub fn alone(test: &str, inside: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut again = Command::new("unshare");
    // Root in there, who nobody is out here; with a loopback of its own.
    again.args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    again.arg(env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    let output = succeeded(again.env(INSIDE, "1"));
    // A name that no test has would pass as well.
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "no test {test}");
}

/// # Panics
/// The program cannot be run, or fails; with what it said.
#[track_caller]
pub fn succeeded(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&said));
    output
}
