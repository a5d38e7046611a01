//! The request ends here.

use crate::policy::denial::Denial;
use crate::policy::problem::{Reply, printable_request_id, status};
use crate::request::{Request, announced_length};

/// A request that was refused. Absorbs every later event.
pub struct Denied {
    denial: Denial,
    to_connect: bool,
    request_id: Option<String>,
    /// A body follows that its client may send whole before it reads the reply.
    has_body: bool,
}

// === impl Denied ===

impl Denied {
    pub fn new(denial: Denial, request: &Request) -> Self {
        let request_id = request.headers.single("x-request-id").and_then(printable_request_id);
        Self {
            denial,
            to_connect: request.is_connect(),
            request_id: request_id.map(str::to_owned),
            has_body: has_body(request),
        }
    }

    /// Is the reply due behind the body? Else it is due at once.
    pub fn has_body(&self) -> bool {
        self.has_body
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

    pub fn status(&self) -> u16 {
        status(self.denial, self.to_connect)
    }

    pub fn reply(&self) -> Reply {
        Reply::new(self.denial, self.to_connect, self.request_id())
    }
}

/// Of a body that is read and dropped, in bytes.
pub(super) const MAX_DISCARDED: usize = 64 * 1024 * 1024;

/// Some clients wait for the reply before they send, or read it while they send: those of gRPC, those that
/// announce a body (`Expect: 100-continue`), and those that change the protocol.
#[cold]
fn has_body(request: &Request) -> bool {
    let headers = &request.headers;
    let is_grpc =
        |kind: &[u8]| kind.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC));
    request.has_body
        && !request.is_connect()
        && !headers.announce_upgrade()
        && !headers.has("expect")
        && !headers.single("content-type").is_some_and(is_grpc)
        && announced_length(headers) <= MAX_DISCARDED
}

/// Of `application/grpc`, `application/grpc+proto` and `application/grpc-web`.
const GRPC: &[u8] = b"application/grpc";
