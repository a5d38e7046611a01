//! Rewrites bodies: requests get a first line, a word in responses is blacked out. A body that
//! trailers end has no last piece of its own and goes on as it is.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

pub struct Bodies {
    /// What nobody may read.
    pub word: String,
}

const FIRST_LINE: &[u8] = b"# seen by a guest\n";

// === impl Bodies ===

impl Context for Bodies {}

impl HttpContext for Bodies {
    fn on_http_request_headers(&mut self, _num_headers: usize, end_of_stream: bool) -> Action {
        // The length is about to change, and the headers go on before the body is known.
        if !end_of_stream {
            self.remove_http_request_header("content-length");
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, _body_size: usize, end_of_stream: bool) -> Action {
        if !end_of_stream {
            return Action::Pause;
        }
        self.set_http_request_body(0, 0, FIRST_LINE);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, end_of_stream: bool) -> Action {
        if !end_of_stream {
            self.remove_http_response_header("content-length");
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        // The word may straddle two pieces: wait for the whole.
        if !end_of_stream {
            return Action::Pause;
        }
        let Some(body) = self.get_http_response_body(0, body_size) else { return Action::Continue };
        let text = String::from_utf8_lossy(&body);
        if text.contains(&self.word) {
            let blacked = text.replace(&self.word, &"*".repeat(self.word.len()));
            self.set_http_response_body(0, body_size, blacked.as_bytes());
        }
        Action::Continue
    }
}
