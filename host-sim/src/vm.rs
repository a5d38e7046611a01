//! One VM: an instance of the module, its contexts, and the calls into it.

mod callbacks;
mod context;
mod identity;
mod instance;
mod instantiator;
mod start;
mod state;

pub(crate) use callbacks::Callbacks;
pub(crate) use context::{
    Context, ContextKind, Expression, PendingCallout, PendingGrpc, Prototype, Root,
};
pub(crate) use identity::VmIdentity;
pub use identity::{FailPolicy, Plugin};
pub(crate) use instance::{CallbackResult, Vm, VmSetup};
pub(crate) use instantiator::Instantiator;
pub(crate) use state::{Deferred, Stage, VmState};
