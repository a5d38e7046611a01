//! How the instance of a VM is made from the module.

use super::VmState;
use wasmtime::{
    Engine, ExternType, Instance, InstancePre, Linker, Memory, Module, Ref, Result, Store, Table,
};

/// All imports of a module, found.
#[derive(Clone)]
pub(crate) enum Instantiator {
    /// The module imports functions alone.
    Linked(InstancePre<VmState>),
    /// The module imports a memory or a table too, of which Envoy makes one for each VM.
    PerVm { linker: Linker<VmState>, module: Module },
}

// === impl Instantiator ===

impl Instantiator {
    /// # Errors
    /// The host has no import of this name and type.
    pub fn new(linker: Linker<VmState>, module: &Module) -> Result<Self> {
        let is_per_vm = |kind: ExternType| kind.memory().is_some() || kind.table().is_some();
        if module.imports().any(|import| is_per_vm(import.ty())) {
            return Ok(Self::PerVm { linker, module: module.clone() });
        }
        linker.instantiate_pre(module).map(Self::Linked)
    }

    pub fn engine(&self) -> &Engine {
        match self {
            Self::Linked(pre) => pre.module().engine(),
            Self::PerVm { module, .. } => module.engine(),
        }
    }

    /// The instance. A memory that it imports is the VM's from then on.
    ///
    /// # Errors
    /// An import is missing, or the module's start function traps.
    pub fn instantiate(&self, store: &mut Store<VmState>) -> Result<Instance> {
        let (linker, module) = match self {
            Self::Linked(pre) => return pre.instantiate(store),
            Self::PerVm { linker, module } => (linker, module),
        };
        let mut linker = linker.clone();
        for import in module.imports() {
            match import.ty() {
                ExternType::Memory(kind) => {
                    let memory = Memory::new(&mut *store, kind)?;
                    linker.define(&*store, import.module(), import.name(), memory)?;
                    store.data_mut().memory = Some(memory);
                }
                ExternType::Table(kind) => {
                    let nothing = Ref::null(kind.element().heap_type());
                    let table = Table::new(&mut *store, kind, nothing)?;
                    linker.define(&*store, import.module(), import.name(), table)?;
                }
                _ => {}
            }
        }
        linker.instantiate(store, module)
    }
}
