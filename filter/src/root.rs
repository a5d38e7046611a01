//! One plugin configuration in one VM.

use crate::host;
use crate::metrics::Metrics;
use crate::stream::Stream;
use edge::TrustEdge;
use edge::config::Config;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};
use std::cell::RefCell;
use std::rc::Rc;

/// The root context. Several may share a VM (Envoy keys VMs by code and vm_id), so everything hangs
/// from here and nothing is static.
#[derive(Default)]
pub struct Root {
    edge: Option<Rc<RefCell<TrustEdge>>>,
    metrics: Rc<Metrics>,
}

impl Context for Root {}

impl RootContext for Root {
    /// `false` makes Envoy refuse the configuration; with `FAIL_CLOSED` nothing passes without one.
    fn on_configure(&mut self, size: usize) -> bool {
        self.edge = None;
        let Ok(text) = host::buffer(BufferType::PluginConfiguration, size) else {
            log::error!("leasehold: the host does not hand over the plugin configuration");
            return false;
        };
        match Config::read(&text.unwrap_or_default()) {
            Ok(policy) => {
                self.metrics = Rc::new(Metrics::define());
                self.edge = Some(Rc::new(RefCell::new(TrustEdge::new(policy))));
                true
            }
            Err(errors) => {
                for error in errors.iter() {
                    log::error!("leasehold: {error}");
                }
                false
            }
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.edge.clone(), Rc::clone(&self.metrics))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
