//! What a guest keeps at its host: metrics, shared data, queues.

use crate::prober::Arg::{Long, More, Number, Out, Text, Word};
use crate::prober::Gives::{Bytes, BytesAndMore, Nothing};
use crate::prober::{Gives, Prober};
pub fn metrics(prober: &mut Prober) {
    let define = |kind, name| [Number(kind), Text(name), Word];
    const DEFINE: &str = "proxy_define_metric";
    let increment = |id, by| [Number(id), Long(by)];
    prober
        .story("metrics")
        .call("define a counter", DEFINE, &define(0, b"probe.counter"), Gives::Word)
        .call("define it again", DEFINE, &define(0, b"probe.counter"), Gives::Word)
        .call("define a second counter", DEFINE, &define(0, b"probe.second"), Gives::Word)
        .call("define a gauge", DEFINE, &define(1, b"probe.gauge"), Gives::Word)
        .call("define a histogram", DEFINE, &define(2, b"probe.histogram"), Gives::Word)
        .call("define nothing", DEFINE, &define(3, b"probe.nothing"), Gives::Word)
        .call("define without a name", DEFINE, &define(0, b""), Nothing);
    for (label, id) in
        [("a counter", 4), ("a gauge", 5), ("a histogram", 6), ("an unknown one", 4000)]
    {
        for by in [3, 0, -1] {
            prober.call(
                &format!("increment {label} by {by}"),
                "proxy_increment_metric",
                &increment(id, by),
                Nothing,
            );
        }
        prober.call(&format!("get {label}"), "proxy_get_metric", &[Number(id), Word], Gives::Long);
        prober.call(
            &format!("record on {label}"),
            "proxy_record_metric",
            &increment(id, 7),
            Nothing,
        );
        prober.call(
            &format!("get {label} after that"),
            "proxy_get_metric",
            &[Number(id), Word],
            Gives::Long,
        );
    }
    prober.call("get of no kind", "proxy_get_metric", &[Number(7), Word], Gives::Long);
    prober.call("increment of no kind", "proxy_increment_metric", &increment(7, 1), Nothing);
}

pub fn shared_data(prober: &mut Prober) {
    let get = [Text(b"probe"), Out, More];
    let set = |value, cas| [Text(b"probe"), Text(value), Number(cas)];
    prober
        .story("shared data")
        .call("get an absent key", "proxy_get_shared_data", &get, BytesAndMore)
        .call("set with a cas, absent", "proxy_set_shared_data", &set(b"one", 77), Nothing)
        .call("get", "proxy_get_shared_data", &get, BytesAndMore)
        .call("set with a wrong cas", "proxy_set_shared_data", &set(b"two", 78), Nothing)
        .call("set with the right cas", "proxy_set_shared_data", &set(b"three", 1), Nothing)
        .call("get after that", "proxy_get_shared_data", &get, BytesAndMore)
        .call("set without a cas", "proxy_set_shared_data", &set(b"", 0), Nothing)
        .call("get an empty value", "proxy_get_shared_data", &get, BytesAndMore)
        .call(
            "set without a key",
            "proxy_set_shared_data",
            &[Text(b""), Text(b"v"), Number(0)],
            Nothing,
        )
        .call("get without a key", "proxy_get_shared_data", &[Text(b""), Out, More], BytesAndMore);
}

pub fn queues(prober: &mut Prober) {
    let named = |name| [Text(b"leasehold"), Text(name), Word];
    prober
        .story("queues")
        .call("resolve an absent one", "proxy_resolve_shared_queue", &named(b"probe"), Gives::Word)
        .call(
            "enqueue to an absent one",
            "proxy_enqueue_shared_queue",
            &[Number(900), Text(b"x")],
            Nothing,
        )
        .call(
            "dequeue from an absent one",
            "proxy_dequeue_shared_queue",
            &[Number(900), Out],
            Bytes,
        )
        .call("register", "proxy_register_shared_queue", &[Text(b"probe"), Word], Gives::Word)
        .call("register again", "proxy_register_shared_queue", &[Text(b"probe"), Word], Gives::Word)
        .call(
            "register a second",
            "proxy_register_shared_queue",
            &[Text(b"other"), Word],
            Gives::Word,
        )
        .call("resolve", "proxy_resolve_shared_queue", &named(b"probe"), Gives::Word)
        .call(
            "resolve in another VM",
            "proxy_resolve_shared_queue",
            &[Text(b"elsewhere"), Text(b"probe"), Word],
            Gives::Word,
        )
        .call("dequeue from an empty one", "proxy_dequeue_shared_queue", &[Number(1), Out], Bytes)
        .call("enqueue", "proxy_enqueue_shared_queue", &[Number(1), Text(b"one")], Nothing)
        .call("enqueue a second", "proxy_enqueue_shared_queue", &[Number(1), Text(b"two")], Nothing)
        .call("enqueue nothing", "proxy_enqueue_shared_queue", &[Number(1), Text(b"")], Nothing)
        .call("dequeue", "proxy_dequeue_shared_queue", &[Number(1), Out], Bytes)
        .call("dequeue the second", "proxy_dequeue_shared_queue", &[Number(1), Out], Bytes)
        .call("dequeue nothing", "proxy_dequeue_shared_queue", &[Number(1), Out], Bytes)
        .call(
            "dequeue from an empty one again",
            "proxy_dequeue_shared_queue",
            &[Number(1), Out],
            Bytes,
        );
}
