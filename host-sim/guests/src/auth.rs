//! Asks a cluster about every request: an even byte lets it pass, anything else does not.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::time::Duration;

pub struct Auth {
    /// Whom to ask.
    pub cluster: String,
}

const PATIENCE: Duration = Duration::from_secs(1);

// === impl Auth ===

impl Auth {
    fn refuse(&self, status: u32, why: &str) {
        log::warn!("refused: {why}");
        self.send_http_response(status, vec![("x-refused", why)], Some(b"access forbidden\n"));
    }
}

impl Context for Auth {
    fn on_http_call_response(
        &mut self,
        _token_id: u32,
        num_headers: usize,
        body_size: usize,
        _num_trailers: usize,
    ) {
        // A connection that was reset has no headers to ask for.
        if num_headers == 0 {
            return self.refuse(503, "reset");
        }
        let status = self.get_http_call_response_header(":status");
        if status.as_deref() != Some("200") {
            return self.refuse(503, "no answer");
        }
        let body = self.get_http_call_response_body(0, body_size).unwrap_or_default();
        match body.first() {
            Some(byte) if byte % 2 == 0 => {
                log::info!("allowed");
                self.resume_http_request();
            }
            _ => self.refuse(403, "odd"),
        }
    }
}

impl HttpContext for Auth {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        let headers = vec![(":method", "GET"), (":path", "/byte"), (":authority", &self.cluster)];
        if self.dispatch_http_call(&self.cluster, headers, None, vec![], PATIENCE).is_err() {
            self.refuse(503, "nobody to ask");
        }
        Action::Pause
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        self.set_http_response_header("x-powered-by", Some("guest"));
        Action::Continue
    }
}
