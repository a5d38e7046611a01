//! Header maps.

use crate::prober::Arg::{Number, Out, Text, Word};
use crate::prober::Gives::{Bytes, Nothing};
use crate::prober::{Gives, Prober, pairs};
const GET: &str = "proxy_get_header_map_value";

pub fn header_maps(prober: &mut Prober) {
    let value = |map, name| [Number(map), Text(name), Out];
    prober
        .story("headers")
        .call("get", GET, &value(0, b"x-one"), Bytes)
        .call("get in capitals", GET, &value(0, b"X-One"), Bytes)
        .call("get the first of two", GET, &value(0, b"x-two"), Bytes)
        .call("get an empty one", GET, &value(0, b"x-empty"), Bytes)
        .call("get an absent one", GET, &value(0, b"x-none"), Bytes)
        .call("get without a name", GET, &value(0, b""), Bytes)
        .call("get :authority", GET, &value(0, b":authority"), Bytes)
        .call("get host", GET, &value(0, b"host"), Bytes)
        .call("get from a map that is not there", GET, &value(2, b"x-one"), Bytes)
        .call("get from trailers that are not there", GET, &value(1, b"x-one"), Bytes)
        .call("get from callout headers", GET, &value(6, b"x-one"), Bytes)
        .call("get from no map", GET, &value(99, b"x-one"), Bytes);
}

pub fn header_edits(prober: &mut Prober) {
    let value = |map, name| [Number(map), Text(name), Out];
    let pair = |name, value| [Number(0), Text(name), Text(value)];
    prober
        .story("edits of headers")
        .call("add", "proxy_add_header_map_value", &pair(b"X-One", b"2"), Nothing)
        .call("get after add", GET, &value(0, b"x-one"), Bytes)
        .call("add to a slot", "proxy_add_header_map_value", &pair(b"user-agent", b"u"), Nothing)
        .call(
            "add to a slot again",
            "proxy_add_header_map_value",
            &pair(b"user-agent", b"v"),
            Nothing,
        )
        .call("get a slot", GET, &value(0, b"user-agent"), Bytes)
        .call("replace", "proxy_replace_header_map_value", &pair(b"x-two", b"c"), Nothing)
        .call("get after replace", GET, &value(0, b"x-two"), Bytes)
        .call(
            "replace an absent one",
            "proxy_replace_header_map_value",
            &pair(b"x-new", b"n"),
            Nothing,
        )
        .call("get after that", GET, &value(0, b"x-new"), Bytes)
        .call("remove", "proxy_remove_header_map_value", &[Number(0), Text(b"x-one")], Nothing)
        .call("get after remove", GET, &value(0, b"x-one"), Bytes)
        .call(
            "remove an absent one",
            "proxy_remove_header_map_value",
            &[Number(0), Text(b"x-one")],
            Nothing,
        );
}

pub fn absent_maps(prober: &mut Prober) {
    prober
        .story("maps that are not there")
        .call(
            "remove from a map that is not there",
            "proxy_remove_header_map_value",
            &[Number(2), Text(b"x-one")],
            Nothing,
        )
        .call(
            "add to a map that is not there",
            "proxy_add_header_map_value",
            &[Number(3), Text(b"a"), Text(b"b")],
            Nothing,
        )
        .call(
            "pairs of a map that is not there",
            "proxy_get_header_map_pairs",
            &[Number(2), Out],
            Bytes,
        )
        .call("pairs of no map", "proxy_get_header_map_pairs", &[Number(99), Out], Bytes)
        .call(
            "size of a map that is not there",
            "proxy_get_header_map_size",
            &[Number(2), Word],
            Gives::Word,
        )
        .call(
            "set pairs of a map that is not there",
            "proxy_set_header_map_pairs",
            &[Number(2), Text(&pairs(&[("a", "b")]))],
            Nothing,
        );
}

pub fn host(prober: &mut Prober) {
    let value = |map, name| [Number(map), Text(name), Out];
    let pair = |name, value| [Number(0), Text(name), Text(value)];
    prober
        .story("host")
        .call("replace", "proxy_replace_header_map_value", &pair(b"Host", b"other.test"), Nothing)
        .call("get :authority", GET, &value(0, b":authority"), Bytes)
        .call("add", "proxy_add_header_map_value", &pair(b"host", b"third.test"), Nothing)
        .call("get :authority after that", GET, &value(0, b":authority"), Bytes)
        .call("remove", "proxy_remove_header_map_value", &[Number(0), Text(b"host")], Nothing)
        .call("get :authority at last", GET, &value(0, b":authority"), Bytes)
        .call(
            "set all",
            "proxy_set_header_map_pairs",
            &[Number(0), Text(&pairs(&[("host", "a.test"), (":path", "/")]))],
            Nothing,
        )
        .call("get all", "proxy_get_header_map_pairs", &[Number(0), Out], Bytes);
}

pub fn all_headers(prober: &mut Prober) {
    let all = pairs(&[
        (":path", "/p"),
        (":method", "GET"),
        (":authority", "a.test"),
        ("x-a", "1"),
        ("X-B", "2"),
        ("x-a", "3"),
    ]);
    let set = "proxy_set_header_map_pairs";
    prober
        .story("all headers")
        .call("set", set, &[Number(0), Text(&all)], Nothing)
        .call("get", "proxy_get_header_map_pairs", &[Number(0), Out], Bytes)
        .call("size", "proxy_get_header_map_size", &[Number(0), Word], Gives::Word)
        .call("set to half a list", set, &[Number(0), Text(&all[..all.len() / 2])], Nothing)
        .call("get after that", "proxy_get_header_map_pairs", &[Number(0), Out], Bytes)
        .call("size after that", "proxy_get_header_map_size", &[Number(0), Word], Gives::Word)
        .call("set to nothing", set, &[Number(0), Text(b"")], Nothing)
        .call("get after that too", "proxy_get_header_map_pairs", &[Number(0), Out], Bytes);
}
