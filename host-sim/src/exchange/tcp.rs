//! TCP connections: the L4 contexts.

use crate::properties::Properties;
use crate::stream::{Connection, Peer};
use crate::vm::{CallbackResult, ContextKind, FailPolicy, Vm};

// === impl Vm ===

impl Vm {
    pub fn open_connection(&mut self, root: u32, properties: Properties) -> u32 {
        let connection = Connection { properties, ..Connection::default() };
        let kind = ContextKind::Connection(Box::new(connection));
        let context = self.store.data_mut().new_context(Some(root), kind);
        let create = "proxy_on_context_create";
        self.call(context, create, |c| c.context_create.clone(), (context, root));
        let name = "proxy_on_new_connection";
        match self.call(context, name, |c| c.new_connection.clone(), (context,)) {
            CallbackResult::Failed => self.fail_connection(context),
            CallbackResult::Returned(verdict, _) if verdict != 0 => {
                if let Some(connection) = self.store.data_mut().connection_mut(context) {
                    connection.held = true;
                }
            }
            _ => {}
        }
        context
    }

    /// Bytes of the guest on their way to the upstream.
    pub fn downstream_bytes(&mut self, context: u32, bytes: &[u8], end: bool) {
        let Some(connection) = self.store.data_mut().connection_mut(context) else { return };
        connection.downstream.held.extend(bytes);
        connection.downstream.visible = true;
        let size = u32::try_from(connection.downstream.held.len()).unwrap_or(u32::MAX);
        let (name, args) = ("proxy_on_downstream_data", (context, size, u32::from(end)));
        let said = self.call(context, name, |c| c.downstream_data.clone(), args);
        let Some(connection) = self.store.data_mut().connection_mut(context) else { return };
        match said {
            CallbackResult::Failed => self.fail_connection(context),
            CallbackResult::Returned(verdict, _) if verdict != 0 => {}
            _ => connection.downstream.pass(),
        }
    }

    /// Bytes of the upstream on their way to the guest.
    pub fn upstream_bytes(&mut self, context: u32, bytes: &[u8], end: bool) {
        let Some(connection) = self.store.data_mut().connection_mut(context) else { return };
        connection.upstream.held.extend(bytes);
        connection.upstream.visible = true;
        let size = u32::try_from(connection.upstream.held.len()).unwrap_or(u32::MAX);
        let (name, args) = ("proxy_on_upstream_data", (context, size, u32::from(end)));
        let said = self.call(context, name, |c| c.upstream_data.clone(), args);
        let Some(connection) = self.store.data_mut().connection_mut(context) else { return };
        match said {
            CallbackResult::Failed => self.fail_connection(context),
            CallbackResult::Returned(verdict, _) if verdict != 0 => {}
            _ => connection.upstream.pass(),
        }
    }

    pub fn resume_downstream(&mut self, context: u32) {
        if let Some(connection) = self.store.data_mut().connection_mut(context) {
            connection.held = false;
            connection.downstream.pass();
        }
    }

    /// The guest's side closes. For connections it is done, log, delete.
    pub fn connection_closes(&mut self, context: u32, peer: Peer) {
        let Some(connection) = self.store.data_mut().connection_mut(context) else { return };
        if std::mem::replace(&mut connection.closed, true) {
            return;
        }
        let args = (context, peer as u32);
        let name = "proxy_on_downstream_connection_close";
        self.call(context, name, |c| c.downstream_close.clone(), args);
        self.call(context, "proxy_on_done", |c| c.done.clone(), (context,));
        self.call(context, "proxy_on_log", |c| c.log.clone(), (context,));
        self.call(context, "proxy_on_delete", |c| c.delete.clone(), (context,));
    }

    pub fn close_connection(&mut self, context: u32) {
        self.connection_closes(context, Peer::Local);
    }

    fn fail_connection(&mut self, context: u32) {
        let policy = self.plugin_of(context).map(|plugin| plugin.fail_policy);
        if policy == Some(FailPolicy::Open) {
            self.resume_downstream(context);
        } else {
            self.close_connection(context);
        }
    }
}
