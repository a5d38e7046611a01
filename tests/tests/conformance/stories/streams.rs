//! Contexts, streams, addresses outside of the memory, callouts.

use crate::prober::Arg::{More, Number, Out, Text, Word};
use crate::prober::Gives::{Bytes, Nothing};
use crate::prober::{Arg, Gives, Prober, pairs};
pub fn streams(prober: &mut Prober) {
    prober
        .story("streams and the rest")
        .call("log at a level there is not", "proxy_log", &[Number(6), Text(b"x")], Nothing)
        .call("log", "proxy_log", &[Number(2), Text(b"probe")], Nothing)
        .call("log from nowhere", "proxy_log", &[Number(2), Number(-16), Number(8)], Nothing)
        .call(
            "an effective context there is not",
            "proxy_set_effective_context",
            &[Number(9999)],
            Nothing,
        )
        .call("the effective context 0", "proxy_set_effective_context", &[Number(0)], Nothing)
        .call("the root as effective context", "proxy_set_effective_context", &[Number(1)], Nothing)
        .call(
            "headers from the root",
            "proxy_get_header_map_value",
            &[Number(0), Text(b"x-one"), Out],
            Bytes,
        )
        .call(
            "the stream as effective context",
            "proxy_set_effective_context",
            &[Arg::Stream],
            Nothing,
        )
        .call(
            "headers from the stream",
            "proxy_get_header_map_value",
            &[Number(0), Text(b"x-one"), Out],
            Bytes,
        )
        .call("done, unasked", "proxy_done", &[], Nothing)
        .call("continue of no kind", "proxy_continue_stream", &[Number(9)], Nothing)
        .call("close of no kind", "proxy_close_stream", &[Number(9)], Nothing)
        .call("status without a call", "proxy_get_status", &[Word, Out], Nothing);
}

pub fn memory(prober: &mut Prober) {
    prober
        .story("memory")
        .call(
            "a name outside",
            "proxy_get_header_map_value",
            &[Number(0), Number(-16), Number(8), Out],
            Bytes,
        )
        .call(
            "a result outside",
            "proxy_get_header_map_value",
            &[Number(0), Text(b"x-one"), Number(-16), Number(-16)],
            Nothing,
        )
        .call(
            "a word outside",
            "proxy_define_metric",
            &[Number(0), Text(b"probe.memory"), Number(-2)],
            Nothing,
        )
        .call("a key outside", "proxy_set_property", &[Number(-16), Number(8), Text(b"x")], Nothing)
        .call(
            "a huge size",
            "proxy_get_shared_data",
            &[Number(0), Number(i32::MAX), Out, More],
            Nothing,
        );
}

pub fn callouts(prober: &mut Prober) {
    fn call<'a>(cluster: &'a [u8], headers: &'a [u8], timeout: i32) -> [Arg<'a>; 6] {
        [Text(cluster), Text(headers), Text(b""), Text(b""), Number(timeout), Word]
    }
    let whole = pairs(&[(":method", "GET"), (":path", "/"), (":authority", "a.test")]);
    prober
        .story("callouts")
        .call("an unknown cluster", "proxy_http_call", &call(b"nobody", &whole, 100), Gives::Word)
        .call("no cluster", "proxy_http_call", &call(b"", &whole, 100), Gives::Word);
    for (label, missing) in
        [("no method", ":method"), ("no path", ":path"), ("no authority", ":authority")]
    {
        let all = [(":method", "GET"), (":path", "/"), (":authority", "a.test")];
        let rest: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
        let rest = pairs(&rest);
        prober.call(label, "proxy_http_call", &call(b"custody", &rest, 100), Gives::Word);
    }
    prober.call("no headers", "proxy_http_call", &call(b"custody", b"", 100), Gives::Word).call(
        "a negative timeout",
        "proxy_http_call",
        &call(b"custody", &whole, -1),
        Gives::Word,
    );
}
