//! Attributes, and what a guest sets itself.

use crate::prober::Arg::{Out, Text};
use crate::prober::Gives::{Bytes, Nothing};
use crate::prober::Prober;
pub fn properties(prober: &mut Prober) {
    prober.story("properties");
    for path in [
        "request.path",
        "request.url_path",
        "request.query",
        "request.host",
        "request.method",
        "request.headers.x-one",
        "request.headers.x-none",
        "request.referer",
        "request.nothing",
        "response.code",
        "response.nothing",
        "plugin_name",
        "plugin_root_id",
        "plugin_vm_id",
        "nothing",
        "nothing.at.all",
        "filter_state.nothing",
        "metadata",
        "metadata.filter_metadata",
        "metadata.filter_metadata.nothing",
        "metadata.nothing",
        "connection",
        "request",
        "response",
        "upstream",
        "source",
        "destination",
        "filter_state",
        "upstream_filter_state",
        "listener_metadata",
        "route_metadata",
        "cluster_metadata",
        "upstream_host_metadata",
        "xds",
        "xds.listener_metadata",
        "xds.listener_metadata.filter_metadata",
        "xds.route_metadata",
        "xds.virtual_host_metadata",
        "xds.cluster_metadata",
        "xds.cluster_metadata.filter_metadata",
        "xds.upstream_host_metadata",
        "request.headers.x-two",
        "response.headers",
        "response.size",
        "connection.requested_server_name",
    ] {
        let key = path.replace('.', "\0");
        prober.call(path, "proxy_get_property", &[Text(key.as_bytes()), Out], Bytes);
    }
    prober.call("nothing at all", "proxy_get_property", &[Text(b""), Out], Bytes);
}

pub fn own_properties(prober: &mut Prober) {
    let get = |path| [Text(path), Out];
    prober
        .story("own properties")
        .call("set", "proxy_set_property", &[Text(b"probe.own"), Text(b"mine")], Nothing)
        .call("get it", "proxy_get_property", &get(b"probe.own"), Bytes)
        .call(
            "get it as filter state",
            "proxy_get_property",
            &get(b"filter_state\0wasm.probe.own"),
            Bytes,
        )
        .call("set it again", "proxy_set_property", &[Text(b"probe.own"), Text(b"")], Nothing)
        .call("get it empty", "proxy_get_property", &get(b"probe.own"), Bytes)
        .call(
            "set in two segments",
            "proxy_set_property",
            &[Text(b"probe\0two"), Text(b"2")],
            Nothing,
        )
        .call("get in two segments", "proxy_get_property", &get(b"probe\0two"), Bytes)
        .call(
            "set what is an attribute",
            "proxy_set_property",
            &[Text(b"plugin_name"), Text(b"x")],
            Nothing,
        )
        .call("get what is an attribute", "proxy_get_property", &get(b"plugin_name"), Bytes);
}
