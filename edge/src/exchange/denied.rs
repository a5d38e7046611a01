//! The request ends here.

use crate::policy::denial::Denial;
use crate::policy::problem::{Reply, printable_request_id};
use crate::request::Request;

/// A request that was refused. Absorbs every later event.
pub struct Denied {
    denial: Denial,
    to_connect: bool,
    request_id: Option<String>,
}

// === impl Denied ===

impl Denied {
    pub fn new(denial: Denial, request: &Request) -> Self {
        let request_id = request.headers.single("x-request-id").and_then(printable_request_id);
        Self { denial, to_connect: request.is_connect(), request_id: request_id.map(str::to_owned) }
    }

    /// The same request, refused for another reason.
    pub fn because(self, denial: Denial) -> Self {
        Self { denial, ..self }
    }

    pub fn denial(&self) -> Denial {
        self.denial
    }

    /// For the log line: an id that has been found printable.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    pub fn reply(&self) -> Reply {
        Reply::new(self.denial, self.to_connect, self.request_id())
    }
}
