//! Tells of every callback, so that the order can be seen in which a host calls the filters of a chain.
//!
//! `x-do: NAME=DEED` has the witness of that name (its configuration) do something: `reply`, `reply-to-body`,
//! `reply-to-response`, `ask` (a cluster, while the request waits), `hold-body`.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub struct Witness {
    name: String,
    deed: String,
}

/// Of this VM, whichever plugin they belong to.
static STREAMS: AtomicUsize = AtomicUsize::new(0);

const CLUSTER: &str = "authority";
const PATIENCE: Duration = Duration::from_secs(1);

// === impl Witness ===

impl Witness {
    pub fn new(name: &str) -> Self {
        let number = STREAMS.fetch_add(1, Ordering::Relaxed) + 1;
        log::info!("{name}: stream {number} of this VM");
        Self { name: name.to_owned(), deed: String::new() }
    }

    fn tell(&self, what: &str) {
        log::info!("{}: {what}", self.name);
    }

    fn reply(&self) -> Action {
        let headers = vec![("x-by", self.name.as_str())];
        self.send_http_response(403, headers, Some(b"no\n"));
        Action::Pause
    }

    fn note(&self, header: Option<String>) -> String {
        header.map_or_else(|| self.name.clone(), |before| format!("{before}, {}", self.name))
    }
}

impl Context for Witness {
    fn on_http_call_response(&mut self, _: u32, headers: usize, _: usize, _: usize) {
        self.tell(if headers > 0 { "answer" } else { "no answer" });
        self.resume_http_request();
    }

    fn on_done(&mut self) -> bool {
        self.tell("done");
        true
    }
}

impl HttpContext for Witness {
    fn on_http_request_headers(&mut self, _num_headers: usize, end: bool) -> Action {
        let mark = self.get_property(vec!["witness"]);
        let mark = mark.map(|mark| String::from_utf8_lossy(&mark).into_owned());
        self.tell(&format!("request headers, end {end}, mark {mark:?}"));
        self.set_property(vec!["witness"], Some(self.name.as_bytes()));
        let deeds = self.get_http_request_header("x-do").unwrap_or_default();
        let mine =
            |deed: &str| Some(deed.trim().strip_prefix(&self.name)?.strip_prefix('=')?.to_owned());
        self.deed = deeds.split(',').find_map(mine).unwrap_or_default();
        let seen = self.note(self.get_http_request_header("x-seen"));
        self.set_http_request_header("x-seen", Some(&seen));
        match self.deed.as_str() {
            "reply" => self.reply(),
            "ask" => {
                let asked = vec![(":method", "GET"), (":path", "/"), (":authority", CLUSTER)];
                if self.dispatch_http_call(CLUSTER, asked, None, vec![], PATIENCE).is_err() {
                    return self.reply();
                }
                Action::Pause
            }
            _ => Action::Continue,
        }
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.tell(&format!("request body of {size}, end {end}"));
        match self.deed.as_str() {
            "reply-to-body" => self.reply(),
            "hold-body" if !end => Action::Pause,
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _num_headers: usize, end: bool) -> Action {
        self.tell(&format!("response headers, end {end}"));
        let seen = self.note(self.get_http_response_header("x-seen"));
        self.set_http_response_header("x-seen", Some(&seen));
        match self.deed.as_str() {
            "reply-to-response" => {
                self.deed.clear();
                self.reply()
            }
            _ => Action::Continue,
        }
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.tell(&format!("response body of {size}, end {end}"));
        Action::Continue
    }

    fn on_log(&mut self) {
        let seen = self.get_http_request_header("x-seen").unwrap_or_default();
        let got = self.get_http_response_header("x-seen").unwrap_or_default();
        self.tell(&format!("log, request seen by {seen}, response by {got}"));
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        log::info!("{} is over", self.name);
    }
}
