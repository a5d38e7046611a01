//! The root context: which of the filters this is.

use crate::auth::Auth;
use crate::bodies::Bodies;
use crate::counter::Counter;
use crate::headers::Headers;
use crate::signatures::Signatures;
use crate::witness::Witness;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

/// One plugin in one VM.
#[derive(Default)]
pub struct Root {
    guest: Guest,
}

/// The filter that runs, with its setting.
enum Guest {
    Headers { value: String },
    Auth { cluster: String },
    Counter(Counter),
    Bodies { word: String },
    Witness { name: String },
    Signatures,
}

const DEFAULT_VALUE: &str = "sdk";
const DEFAULT_CLUSTER: &str = "authority";
const DEFAULT_WORD: &str = "secret";

// === impl Guest ===

impl Guest {
    /// `None` for a root id that names no filter, or a setting that it cannot take.
    fn read(root_id: &str, setting: Option<String>) -> Option<Self> {
        let or = |default: &str| setting.clone().unwrap_or_else(|| default.to_owned());
        Some(match root_id {
            "" | "headers" => Self::Headers { value: or(DEFAULT_VALUE) },
            "auth" => Self::Auth { cluster: or(DEFAULT_CLUSTER) },
            "counter" => Self::Counter(Counter::read(setting.as_deref())?),
            "witness" => Self::Witness { name: or(DEFAULT_VALUE) },
            "signatures" => Self::Signatures,
            "bodies" => Self::Bodies { word: or(DEFAULT_WORD) },
            _ => return None,
        })
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self::Headers { value: DEFAULT_VALUE.to_owned() }
    }
}

// === impl Root ===

impl Context for Root {}

impl RootContext for Root {
    fn on_vm_start(&mut self, _vm_configuration_size: usize) -> bool {
        log::info!("hello from a VM");
        true
    }

    fn on_configure(&mut self, _plugin_configuration_size: usize) -> bool {
        let root_id = self.get_property(vec!["plugin_root_id"]).unwrap_or_default();
        let root_id = String::from_utf8_lossy(&root_id);
        let setting = self.get_plugin_configuration();
        let setting = setting.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        let Some(guest) = Guest::read(&root_id, setting.filter(|text| !text.is_empty())) else {
            log::error!("no such filter, or not with this setting: {root_id:?}");
            return false;
        };
        self.guest = guest;
        if let Guest::Counter(counter) = &mut self.guest {
            counter.start();
        }
        true
    }

    fn on_tick(&mut self) {
        if let Guest::Counter(counter) = &self.guest {
            counter.tick();
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(match &self.guest {
            Guest::Headers { value } => Box::new(Headers { context_id, value: value.clone() }),
            Guest::Auth { cluster } => Box::new(Auth { cluster: cluster.clone() }),
            Guest::Counter(counter) => Box::new(counter.stream()),
            Guest::Witness { name } => Box::new(Witness::new(name)),
            Guest::Signatures => Box::new(Signatures),
            Guest::Bodies { word } => Box::new(Bodies { word: word.clone() }),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
