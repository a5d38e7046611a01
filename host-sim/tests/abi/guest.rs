//! Guests of a few calls each, put together as WebAssembly text.
//!
//! A guest makes its calls and drops their statuses; the transcript has them.

use host_sim::{ArgValue, Host, Module, Plugin, Request, Returned, Status, TranscriptEvent};

/// A module in the making.
pub struct Guest {
    imports: String,
    data: String,
    next_text: usize,
    callbacks: String,
}

/// Where results are written: two words.
pub const OUT: &str = "(i32.const 16) (i32.const 20)";

/// Name and number of parameters of every host function that only takes i32.
const FUNCTIONS: [(&str, usize); 36] = [
    ("proxy_log", 3),
    ("proxy_get_log_level", 1),
    ("proxy_get_current_time_nanoseconds", 1),
    ("proxy_set_tick_period_milliseconds", 1),
    ("proxy_get_buffer_bytes", 5),
    ("proxy_get_buffer_status", 3),
    ("proxy_set_buffer_bytes", 5),
    ("proxy_get_header_map_pairs", 3),
    ("proxy_get_header_map_size", 2),
    ("proxy_get_header_map_value", 5),
    ("proxy_set_header_map_pairs", 3),
    ("proxy_add_header_map_value", 5),
    ("proxy_replace_header_map_value", 5),
    ("proxy_remove_header_map_value", 3),
    ("proxy_get_property", 4),
    ("proxy_set_property", 4),
    ("proxy_define_metric", 4),
    ("proxy_get_metric", 2),
    ("proxy_get_shared_data", 5),
    ("proxy_set_shared_data", 5),
    ("proxy_register_shared_queue", 3),
    ("proxy_resolve_shared_queue", 5),
    ("proxy_enqueue_shared_queue", 3),
    ("proxy_dequeue_shared_queue", 3),
    ("proxy_http_call", 10),
    ("proxy_grpc_call", 12),
    ("proxy_grpc_stream", 9),
    ("proxy_grpc_send", 4),
    ("proxy_grpc_close", 1),
    ("proxy_grpc_cancel", 1),
    ("proxy_continue_stream", 1),
    ("proxy_close_stream", 1),
    ("proxy_send_local_response", 8),
    ("proxy_set_effective_context", 1),
    ("proxy_call_foreign_function", 6),
    ("proxy_get_status", 3),
];

/// Parameters of callbacks, and whether they return a verdict.
const CALLBACKS: [(&str, usize, bool); 22] = [
    ("_initialize", 0, false),
    ("proxy_on_context_create", 2, false),
    ("proxy_on_vm_start", 2, true),
    ("proxy_on_configure", 2, true),
    ("proxy_on_tick", 1, false),
    ("proxy_on_queue_ready", 2, false),
    ("proxy_on_done", 1, true),
    ("proxy_on_log", 1, false),
    ("proxy_on_delete", 1, false),
    ("proxy_on_request_headers", 3, true),
    ("proxy_on_request_body", 3, true),
    ("proxy_on_request_trailers", 2, true),
    ("proxy_on_response_headers", 3, true),
    ("proxy_on_response_body", 3, true),
    ("proxy_on_http_call_response", 5, false),
    ("proxy_on_grpc_receive_initial_metadata", 3, false),
    ("proxy_on_grpc_receive", 3, false),
    ("proxy_on_grpc_receive_trailing_metadata", 3, false),
    ("proxy_on_grpc_close", 3, false),
    ("proxy_on_new_connection", 1, true),
    ("proxy_on_downstream_data", 3, true),
    ("proxy_on_downstream_connection_close", 2, false),
];

// === impl Guest ===

impl Guest {
    pub fn new() -> Self {
        let mut imports = String::new();
        for (name, params) in FUNCTIONS {
            let params = "i32 ".repeat(params);
            imports += &format!(
                "(import \"env\" \"{name}\" (func ${name} (param {params}) (result i32)))\n"
            );
        }
        for (name, param) in [("proxy_increment_metric", "i64"), ("proxy_record_metric", "i64")] {
            imports += &format!(
                "(import \"env\" \"{name}\" (func ${name} (param i32 {param}) (result i32)))\n"
            );
        }
        imports += "(import \"env\" \"proxy_done\" (func $proxy_done (result i32)))\n";
        Self { imports, data: String::new(), next_text: 4096, callbacks: String::new() }
    }

    /// Puts bytes into memory; what comes back are their address and size, as two arguments.
    pub fn bytes(&mut self, bytes: &[u8]) -> String {
        let at = self.next_text;
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        self.data += &format!("(data (i32.const {at}) \"{escaped}\")\n");
        self.next_text += bytes.len() + 1;
        format!("(i32.const {at}) (i32.const {})", bytes.len())
    }

    pub fn text(&mut self, text: &str) -> String {
        self.bytes(text.as_bytes())
    }

    /// An ABI list of pairs, as two arguments.
    pub fn pairs(&mut self, pairs: &[(&str, &str)]) -> String {
        let mut bytes = (pairs.len() as u32).to_le_bytes().to_vec();
        for (name, value) in pairs {
            bytes.extend((name.len() as u32).to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in pairs {
            bytes.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        self.bytes(&bytes)
    }

    /// A callback that makes these calls and returns 0. Its arguments are `$0`, `$1`, ...
    #[must_use]
    pub fn on(self, callback: &str, calls: &str) -> Self {
        let verdict = u32::from(matches!(callback, "proxy_on_vm_start" | "proxy_on_configure"));
        self.on_returning(callback, calls, verdict)
    }

    #[must_use]
    pub fn on_returning(mut self, callback: &str, calls: &str, verdict: u32) -> Self {
        let known = CALLBACKS.iter().find(|(name, ..)| *name == callback);
        let (_, params, returns) =
            known.unwrap_or_else(|| panic!("{callback} is not in the table"));
        let params: String = (0..*params).map(|n| format!("(param ${n} i32) ")).collect();
        let (result, value) = if *returns {
            ("(result i32)".to_owned(), format!("(i32.const {verdict})"))
        } else {
            (String::new(), String::new())
        };
        self.callbacks +=
            &format!("(func (export \"{callback}\") {params} {result} {calls} {value})\n");
        self
    }

    pub fn wat(&self) -> String {
        let Self { imports, data, callbacks, .. } = self;
        format!(
            "(module {imports} (memory (export \"memory\") 4) {data}
             (global $heap (mut i32) (i32.const 131072))
             (func (export \"proxy_abi_version_0_2_1\"))
             (func (export \"proxy_on_memory_allocate\") (param $size i32) (result i32)
               (global.get $heap)
               (global.set $heap (i32.add (global.get $heap) (local.get $size))))
             {callbacks})"
        )
    }

    pub fn module(&self) -> Module {
        Module::new(self.wat().as_bytes()).unwrap_or_else(|error| panic!("{error}\n{}", self.wat()))
    }

    pub fn plugin(&self) -> Plugin {
        Plugin::new(&self.module())
    }

    pub fn start(&self) -> Host {
        Host::builder().plugin(self.plugin()).start().unwrap()
    }
}

/// One call, its status dropped.
pub fn call(function: &str, args: &str) -> String {
    format!("(drop (call ${function} {args}))\n")
}

/// i32 constants.
pub fn numbers(numbers: &[i64]) -> String {
    numbers.iter().map(|n| format!("(i32.const {n}) ")).collect()
}

pub fn get() -> Request {
    Request::get("a.test", "/")
}

/// What the calls of a function on workers were answered, in order.
pub fn statuses(host: &Host, function: &str) -> Vec<Status> {
    let transcript = host.transcript();
    let entries = transcript.entries().iter().filter(|entry| entry.vm > 0);
    let statuses = entries.filter_map(|entry| match &entry.what {
        TranscriptEvent::HostCall { function: own, status: Returned::Status(status), .. } => {
            (*own == function).then_some(*status)
        }
        _ => None,
    });
    statuses.collect()
}

/// What the calls of a function on workers handed over, in order.
pub fn given(host: &Host, function: &str) -> Vec<String> {
    let given = given_values(host, function).into_iter().map(|value| match value {
        ArgValue::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        ArgValue::Number(number) => number.to_string(),
    });
    given.collect()
}

/// The same, byte for byte.
pub fn given_bytes(host: &Host, function: &str) -> Vec<Vec<u8>> {
    let given = given_values(host, function).into_iter().filter_map(|value| match value {
        ArgValue::Bytes(bytes) => Some(bytes),
        ArgValue::Number(_) => None,
    });
    given.collect()
}

fn given_values(host: &Host, function: &str) -> Vec<ArgValue> {
    let transcript = host.transcript();
    let entries = transcript.entries().iter().filter(|entry| entry.vm > 0);
    let given = entries.filter_map(|entry| match &entry.what {
        TranscriptEvent::HostCall { function: own, args, .. } if *own == function => {
            args.iter().find(|arg| arg.name == "gives").map(|arg| arg.value.clone())
        }
        _ => None,
    });
    given.collect()
}

/// The guest's callbacks on workers, in order, with their context.
pub fn callbacks(host: &Host) -> Vec<(&'static str, u32)> {
    let transcript = host.transcript();
    let entries = transcript.entries().iter().filter(|entry| entry.vm > 0);
    let callbacks = entries.filter_map(|entry| match &entry.what {
        TranscriptEvent::Callback { name, context, .. } => Some((*name, *context)),
        _ => None,
    });
    callbacks.collect()
}
