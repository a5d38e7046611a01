//! What the operating system is told about this program before it holds the CA's key.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::io;

/// Turns core dumps off (they would hold the key) and makes the memory unreadable to other programs
/// of the same user.
///
/// # Errors
/// The system call that was refused.
pub fn harden() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
