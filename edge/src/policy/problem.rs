//! A denial as the guest sees it: RFC 9457 problem details, and beside them the members that clients of
//! well-known APIs print. The one place that turns a denial into a reply.

use crate::policy::denial::Denial;
use crate::policy::denial::reason::Reason;
use std::fmt::Write;

/// A local reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, &'static str)>,
    /// `application/problem+json`.
    pub body: Vec<u8>,
}

/// Basic first: clients with only one scheme (git, Java) have that one.
const CHALLENGES: [&str; 2] = ["Basic realm=\"leasehold\"", "Bearer realm=\"leasehold\""];
const MAX_REQUEST_ID: usize = 64;

// === impl Reply ===

impl Reply {
    /// `to_connect`: a CONNECT is challenged as a proxy does, with 407 (RFC 9110 section 15.5.8).
    pub fn new(denial: Denial, to_connect: bool, request_id: Option<&str>) -> Self {
        let Reason { code, title, .. } = denial.reason();
        let status = status(denial, to_connect);
        let challenge = match status {
            407 => Some("proxy-authenticate"),
            401 => Some("www-authenticate"),
            _ => None,
        };
        let mut headers = vec![
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
            ("x-deny-reason", code),
        ];
        if let Some(name) = challenge {
            headers.extend(CHALLENGES.map(|challenge| (name, challenge)));
        }
        Self { status, headers, body: body(code, title, status, request_id).into_bytes() }
    }
}

/// A CONNECT is challenged as a proxy does.
pub fn status(denial: Denial, to_connect: bool) -> u16 {
    match denial.reason().status {
        401 if to_connect => 407,
        status => status,
    }
}

/// Written out, as a flood of denials is a flood of these. There is nothing to escape: codes and titles are
/// our own, and ids are [plain](printable_request_id).
///
/// `message` is what kubectl and GitHub's clients print, `error` what those of OpenAI and Anthropic print,
/// `errors` what container clients print (OCI distribution specification, "Error Codes").
fn body(code: &str, title: &str, status: u16, request_id: Option<&str>) -> String {
    let oci = oci_code(status);
    let mut body = String::with_capacity(512);
    // Writing to a string cannot fail.
    let _ = write!(
        body,
        r#"{{"type":"urn:leasehold:denial:{code}","title":"{title}","status":{status},"reason":"{code}""#
    );
    if let Some(id) = request_id {
        let _ = write!(body, r#","request_id":"{id}""#);
    }
    let _ = write!(
        body,
        r#","message":"Leasehold: {title}","error":{{"message":"Leasehold: {title}","type":"leasehold_denial","code":"{code}"}},"errors":[{{"code":"{oci}","message":"Leasehold: {title}"}}]}}"#
    );
    body
}

fn oci_code(status: u16) -> &'static str {
    match status {
        401 | 407 => "UNAUTHORIZED",
        429 => "TOOMANYREQUESTS",
        500.. => "UNAVAILABLE",
        _ => "DENIED",
    }
}

/// A request id that is safe in a log line and in a reply, as Envoy makes it.
pub fn printable_request_id(bytes: &[u8]) -> Option<&str> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
    let fits = !bytes.is_empty() && bytes.len() <= MAX_REQUEST_ID && bytes.iter().all(plain);
    std::str::from_utf8(bytes).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_problem_details() {
        for denial in Denial::ALL {
            let Reason { code, status, title } = denial.reason();
            let reply = Reply::new(denial, false, Some("r-1"));
            let message = format!("Leasehold: {title}");
            let oci = oci_code(status);
            let mut expected = serde_json::json!({
                "type": format!("urn:leasehold:denial:{code}"), "title": title, "status": status,
                "reason": code, "request_id": "r-1", "message": message,
                "error": {"message": message, "type": "leasehold_denial", "code": code},
                "errors": [{"code": oci, "message": message}],
            });
            assert_eq!(read(&reply), expected);
            assert!(reply.headers.contains(&("x-deny-reason", code)));
            assert!(reply.headers.contains(&("content-type", "application/problem+json")));
            expected.as_object_mut().unwrap().remove("request_id");
            assert_eq!(read(&Reply::new(denial, false, None)), expected);
        }
    }

    fn read(reply: &Reply) -> serde_json::Value {
        serde_json::from_slice(&reply.body).unwrap()
    }

    #[test]
    fn a_connect_is_challenged_as_a_proxy_does() {
        let names = |reply: &Reply| reply.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let reply = Reply::new(Denial::SessionMissing, true, None);
        assert_eq!(reply.status, 407);
        assert!(names(&reply).contains(&"proxy-authenticate"));
        let reply = Reply::new(Denial::SessionMissing, false, None);
        assert_eq!(reply.status, 401);
        assert!(names(&reply).contains(&"www-authenticate"));
        assert_eq!(Reply::new(Denial::HostNotAllowed, true, None).status, 403);
    }

    #[test]
    fn request_ids_are_plain_or_absent() {
        assert_eq!(printable_request_id(b"5f0c-1A"), Some("5f0c-1A"));
        for bad in [&b""[..], b"a b", b"a\nb", b"a\"b", b"\xff", &[b'a'; 65]] {
            assert_eq!(printable_request_id(bad), None);
        }
    }
}
