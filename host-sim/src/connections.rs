//! TCP connections through the simulated Envoy.

use crate::host::{FilterLocation, Host};
use crate::properties::Properties;
use crate::stream::{ConnectionView, Peer};

/// Names a TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionId(FilterLocation);

// === impl Host ===

impl Host {
    /// A connection through the first plugin, on the first worker.
    pub fn connect(&mut self, properties: Properties) -> Option<ConnectionId> {
        let (group, plugin) = self.find_plugin(None)?;
        let vm = self.vm(group, 0)?;
        let root = vm.roots.get(plugin).copied()?;
        let context = vm.open_connection(root, properties);
        Some(ConnectionId(FilterLocation { group, worker: 0, context }))
    }

    /// Bytes from the guest.
    pub fn guest_sends(&mut self, ConnectionId(at): ConnectionId, bytes: &[u8], end: bool) {
        if let Some(vm) = self.vm(at.group, at.worker) {
            vm.downstream_bytes(at.context, bytes, end);
        }
    }

    /// Bytes from the upstream.
    pub fn upstream_sends(&mut self, ConnectionId(at): ConnectionId, bytes: &[u8], end: bool) {
        if let Some(vm) = self.vm(at.group, at.worker) {
            vm.upstream_bytes(at.context, bytes, end);
        }
    }

    pub fn disconnect(&mut self, ConnectionId(at): ConnectionId, peer: Peer) {
        if let Some(vm) = self.vm(at.group, at.worker) {
            vm.connection_closes(at.context, peer);
        }
    }

    pub fn connection(&mut self, ConnectionId(at): ConnectionId) -> ConnectionView {
        let vm = self.vm(at.group, at.worker);
        let connection = vm.and_then(|vm| vm.store.data_mut().connection_mut(at.context));
        connection.map(|connection| connection.view()).unwrap_or_default()
    }
}
