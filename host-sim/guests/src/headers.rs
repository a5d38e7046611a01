//! Headers read, added, replaced and removed; one path that never reaches the upstream.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

pub struct Headers {
    pub context_id: u32,
    /// What `x-guest` says.
    pub value: String,
}

// === impl Headers ===

impl Context for Headers {}

impl HttpContext for Headers {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        // Panics on a value that is not UTF-8, as the SDK does and every sample with it.
        for (name, value) in self.get_http_request_headers() {
            log::debug!("#{} -> {name}: {value}", self.context_id);
        }
        if self.get_http_request_header(":path").as_deref() == Some("/hello") {
            let headers = vec![("x-guest", self.value.as_str()), ("content-type", "text/plain")];
            self.send_http_response(200, headers, Some(b"hello, world\n"));
            return Action::Pause;
        }
        self.add_http_request_header("x-guest", &self.value);
        self.set_http_request_header("user-agent", Some("guest/1"));
        self.remove_http_request_header("cookie");
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        for (name, value) in self.get_http_response_headers() {
            log::debug!("#{} <- {name}: {value}", self.context_id);
        }
        self.add_http_response_header("set-cookie", "guest=1");
        self.set_http_response_header("server", None);
        Action::Continue
    }

    fn on_log(&mut self) {
        log::info!("#{} is over", self.context_id);
    }
}
