//! Buffers, and the body of a request.

use crate::prober::Arg::{More, Number, Out, Text, Word};
use crate::prober::Gives::{Bytes, Nothing};
use crate::prober::{Gives, Prober};
pub fn buffers(prober: &mut Prober) {
    let get = |kind, start, size| [Number(kind), Number(start), Number(size), Out];
    let set = |kind| [Number(kind), Number(0), Number(0), Text(b"bytes")];
    prober.story("buffers");
    for (label, kind) in [
        ("the request's body", 0),
        ("the response's body", 1),
        ("downstream bytes", 2),
        ("upstream bytes", 3),
        ("a callout's body", 4),
        ("a gRPC message", 5),
        ("the VM's configuration", 6),
        ("the plugin's configuration", 7),
        ("a foreign function's argument", 8),
        ("no buffer", 99),
    ] {
        prober.call(&format!("get {label}"), "proxy_get_buffer_bytes", &get(kind, 0, 10), Bytes);
        prober.call(&format!("set {label}"), "proxy_set_buffer_bytes", &set(kind), Nothing);
        let status = [Number(kind), Word, More];
        prober.call(&format!("status of {label}"), "proxy_get_buffer_status", &status, Nothing);
    }
    prober.call("get more than there can be", "proxy_get_buffer_bytes", &get(0, -1, -1), Bytes);
}

pub fn bodies(prober: &mut Prober) {
    const GET: &str = "proxy_get_buffer_bytes";
    const SET: &str = "proxy_set_buffer_bytes";
    let get = |start, size| [Number(0), Number(start), Number(size), Out];
    let set = |start, size| [Number(0), Number(start), Number(size), Text(b"X")];
    prober.story_of_a_body("a body");
    for (start, size) in
        [(0, 100), (1, 3), (5, 1), (9, 9), (9, 0), (0, 0), (0, -1), (-1, 2), (-1, -1)]
    {
        prober.call(&format!("get {size} from {start}"), GET, &get(start, size), Bytes);
    }
    prober.call("status", "proxy_get_buffer_status", &[Number(0), Word, More], Gives::Word);
    prober.call("get the response's", GET, &[Number(1), Number(0), Number(9), Out], Bytes);
    for (label, start, size) in [
        ("put in front", 0, 0),
        ("put in place of two", 0, 2),
        ("put in the middle", 2, 1),
        ("put behind", 5, 0),
        ("put far behind", 99, 1),
        ("put at -1", -1, 0),
        ("put in place of all", 0, 99),
        ("put in place of -1", 0, -1),
    ] {
        prober.call(label, SET, &set(start, size), Nothing);
        prober.call(&format!("{label}: what is there"), GET, &get(0, 100), Bytes);
    }
}
