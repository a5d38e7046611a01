//! The callbacks a module exports, each with the ABI's signature.

use crate::error::Error;
use crate::module::AbiVersion;
use wasmtime::{AsContextMut, Instance, TypedFunc};

/// Declares the table of callbacks: all are optional, a wrong signature is an error. Those behind `where` are
/// looked for in modules of these versions only.
macro_rules! callbacks {
    ($($field:ident: $name:literal ($($arg:ty),*) $(-> $result:ty)? $(where $versions:expr)?;)*) => {
        #[derive(Default)]
        pub(crate) struct Callbacks {
            $(pub $field: Option<TypedFunc<($($arg,)*), callbacks!(@result $($result)?)>>,)*
        }

        impl Callbacks {
            /// Finds them in an instance.
            pub fn of(
                instance: &Instance,
                mut store: impl AsContextMut,
                version: AbiVersion,
            ) -> Result<Self, Error> {
                let mut found = Self::default();
                $(
                    let is_known = true $(&& $versions.contains(&version))?;
                    let function = instance.get_func(&mut store, $name).filter(|_| is_known);
                    if let Some(function) = function {
                        let typed = function.typed(&store).map_err(|error| Error::Export {
                            name: $name,
                            reason: error.to_string(),
                        })?;
                        found.$field = Some(typed);
                    }
                )*
                Ok(found)
            }
        }
    };
    (@result $result:ty) => { $result };
    (@result) => { () };
}

/// Versions whose callbacks for headers say whether the message ends with them.
const WITH_END: [AbiVersion; 2] = [AbiVersion::V0_2_0, AbiVersion::V0_2_1];
const WITHOUT_END: [AbiVersion; 1] = [AbiVersion::V0_1_0];

callbacks! {
    initialize: "_initialize"();
    start: "_start"();
    main: "main"(u32, u32) -> u32;
    main_void: "__main_void"() -> u32;
    malloc: "malloc"(u32) -> u32;
    memory_allocate: "proxy_on_memory_allocate"(u32) -> u32;
    context_create: "proxy_on_context_create"(u32, u32);
    vm_start: "proxy_on_vm_start"(u32, u32) -> u32;
    configure: "proxy_on_configure"(u32, u32) -> u32;
    tick: "proxy_on_tick"(u32);
    queue_ready: "proxy_on_queue_ready"(u32, u32);
    done: "proxy_on_done"(u32) -> u32;
    log: "proxy_on_log"(u32);
    delete: "proxy_on_delete"(u32);
    request_headers: "proxy_on_request_headers"(u32, u32, u32) -> u32 where WITH_END;
    request_headers_0_1: "proxy_on_request_headers"(u32, u32) -> u32 where WITHOUT_END;
    request_body: "proxy_on_request_body"(u32, u32, u32) -> u32;
    request_trailers: "proxy_on_request_trailers"(u32, u32) -> u32;
    response_headers: "proxy_on_response_headers"(u32, u32, u32) -> u32 where WITH_END;
    response_headers_0_1: "proxy_on_response_headers"(u32, u32) -> u32 where WITHOUT_END;
    response_body: "proxy_on_response_body"(u32, u32, u32) -> u32;
    response_trailers: "proxy_on_response_trailers"(u32, u32) -> u32;
    http_call_response: "proxy_on_http_call_response"(u32, u32, u32, u32, u32);
    grpc_initial_metadata: "proxy_on_grpc_receive_initial_metadata"(u32, u32, u32);
    grpc_receive: "proxy_on_grpc_receive"(u32, u32, u32);
    grpc_trailing_metadata: "proxy_on_grpc_receive_trailing_metadata"(u32, u32, u32);
    grpc_close: "proxy_on_grpc_close"(u32, u32, u32);
    new_connection: "proxy_on_new_connection"(u32) -> u32;
    downstream_data: "proxy_on_downstream_data"(u32, u32, u32) -> u32;
    upstream_data: "proxy_on_upstream_data"(u32, u32, u32) -> u32;
    downstream_close: "proxy_on_downstream_connection_close"(u32, u32);
    upstream_close: "proxy_on_upstream_connection_close"(u32, u32);
    foreign_function: "proxy_on_foreign_function"(u32, u32, u32) where WITH_END;
}
