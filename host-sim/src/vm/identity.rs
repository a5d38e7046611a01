//! Who shares a VM with whom, and what a plugin is configured with.

use crate::module::Module;
use std::collections::BTreeMap;
use std::time::Duration;

/// What Envoy does with streams when the VM has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailPolicy {
    /// 503, until Envoy restarts.
    #[default]
    Closed,
    /// The filter is skipped.
    Open,
    /// 503, until a fresh VM is started; no sooner than this after the last start.
    Reload { backoff: Duration },
}

/// One plugin: a module and how it is configured.
#[derive(Clone, Debug)]
pub struct Plugin {
    pub(crate) module: Module,
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) configuration: Vec<u8>,
    pub(crate) vm_id: String,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) fail_policy: FailPolicy,
    pub(crate) allow_headers_stop: bool,
}

/// Plugins with equal identities live in the same VMs: vm_id, VM configuration and code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VmIdentity {
    pub vm_id: String,
    pub vm_configuration: Vec<u8>,
    code: [u8; 32],
}

// === impl Plugin ===

impl Plugin {
    /// Fails closed, and has no configuration at all.
    pub fn new(module: &Module) -> Self {
        Self {
            module: module.clone(),
            name: "plugin".to_owned(),
            root_id: String::new(),
            configuration: Vec::new(),
            vm_id: String::new(),
            vm_configuration: Vec::new(),
            environment: BTreeMap::new(),
            fail_policy: FailPolicy::Closed,
            allow_headers_stop: false,
        }
    }

    /// What `on_configure` can read.
    #[must_use]
    pub fn configuration(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.configuration = bytes.into();
        self
    }

    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    #[must_use]
    pub fn root_id(mut self, root_id: &str) -> Self {
        root_id.clone_into(&mut self.root_id);
        self
    }

    #[must_use]
    pub fn vm_id(mut self, vm_id: &str) -> Self {
        vm_id.clone_into(&mut self.vm_id);
        self
    }

    #[must_use]
    pub fn vm_configuration(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.vm_configuration = bytes.into();
        self
    }

    /// An environment variable of the VM.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn fail_policy(mut self, policy: FailPolicy) -> Self {
        self.fail_policy = policy;
        self
    }

    /// Envoy's `allow_on_headers_stop_iteration`: `StopIteration` on headers holds the headers only,
    /// and bodies are still shown. Otherwise it holds everything.
    #[must_use]
    pub fn allow_on_headers_stop_iteration(mut self, allow: bool) -> Self {
        self.allow_headers_stop = allow;
        self
    }

    pub(crate) fn identity(&self) -> VmIdentity {
        VmIdentity {
            vm_id: self.vm_id.clone(),
            vm_configuration: self.vm_configuration.clone(),
            code: self.module.digest(),
        }
    }
}
