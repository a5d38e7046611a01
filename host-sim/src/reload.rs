//! Plugins that come and go while the simulation runs, as at a reload of a listener: a new configuration is a
//! new root context in the VMs of its identity, beside the one that drains.

use crate::error::Error;
use crate::host::{Host, VmGroup};
use crate::vm::{CallbackResult, Plugin, Vm};
use std::rc::Rc;

// === impl Host ===

impl Host {
    /// Configures one more plugin on every worker. In Envoy the new listener takes new connections now; here a
    /// request says [by which plugin it goes](crate::Request::through).
    ///
    /// # Errors
    /// There is no VM of its identity yet, the name is taken, or the module refuses the configuration.
    pub fn configure(&mut self, plugin: Plugin) -> Result<(), Error> {
        let plugin = Rc::new(plugin);
        let identity = plugin.identity();
        let group = self.groups.iter_mut().find(|group| *group.setup.identity == identity);
        let group = group.ok_or_else(|| Error::NoPlugin(plugin.name.clone()))?;
        for vm in group.all_mut() {
            let root = vm.start_plugin(&plugin)?;
            vm.roots.push(root);
        }
        group.setup.plugins.push(plugin);
        Ok(())
    }

    /// The plugin has drained: its root contexts are deleted. Requests that went through it are over in
    /// Envoy by then.
    pub fn retire(&mut self, name: &str) {
        let Some((group, index)) = self.find_plugin(Some(name)) else { return };
        let Some(group) = self.groups.get_mut(group) else { return };
        group.setup.plugins.remove(index);
        for vm in group.all_mut() {
            let root = vm.roots.remove(index);
            vm.end_root(root);
        }
        self.hand_over();
    }

    /// Shuts every VM down: `on_done` and `on_delete` for each root context.
    pub fn shutdown(&mut self) {
        for vm in self.groups.iter_mut().flat_map(VmGroup::all_mut) {
            for root in vm.roots.clone() {
                vm.end_root(root);
            }
        }
    }
}

// === impl Vm ===

impl Vm {
    fn end_root(&mut self, root: u32) {
        let said = self.call(root, "proxy_on_done", |c| c.done.clone(), (root,));
        if let (CallbackResult::Returned(0, _), Some(owner)) =
            (said, self.store.data_mut().root_mut(root))
        {
            owner.done_pending = true;
        } else {
            self.call(root, "proxy_on_delete", |c| c.delete.clone(), (root,));
            self.store.data_mut().contexts.remove(&root);
        }
    }
}
