use crate::guest::{Guest, OUT, call, callbacks, given, numbers};
use host_sim::{Peer, Properties};

#[test]
fn bytes_are_shown_held_and_passed() {
    let read = call("proxy_get_buffer_bytes", &(numbers(&[2, 0, 100]) + OUT));
    // Held until the end of the stream.
    let hold = "(if (i32.eqz (local.get $2)) (then (return (i32.const 1))))";
    let guest = Guest::new()
        .on("proxy_on_new_connection", "")
        .on("proxy_on_downstream_data", &(read + hold))
        .on("proxy_on_downstream_connection_close", "")
        .on_returning("proxy_on_done", "", 1)
        .on("proxy_on_log", "")
        .on("proxy_on_delete", "");
    let mut host = guest.start();
    let connection = host.connect(Properties::default()).unwrap();
    host.guest_sends(connection, b"ab", false);
    assert_eq!(host.connection(connection).to_upstream, b"");
    host.guest_sends(connection, b"cd", true);
    assert_eq!(host.connection(connection).to_upstream, b"abcd");
    assert_eq!(given(&host, "proxy_get_buffer_bytes"), ["ab", "abcd"]);
    host.upstream_sends(connection, b"back", false);
    assert_eq!(host.connection(connection).to_guest, b"back");
    host.disconnect(connection, Peer::Remote);
    let names: Vec<_> = callbacks(&host).into_iter().map(|(name, _)| name).collect();
    let end = [
        "proxy_on_downstream_connection_close",
        "proxy_on_done",
        "proxy_on_log",
        "proxy_on_delete",
    ];
    assert!(names.ends_with(&end), "{names:?}");
}

#[test]
fn a_connection_can_be_closed() {
    let guest =
        Guest::new().on("proxy_on_downstream_data", &call("proxy_close_stream", &numbers(&[2])));
    let mut host = guest.start();
    let connection = host.connect(Properties::default()).unwrap();
    host.guest_sends(connection, b"ab", false);
    assert!(host.connection(connection).closed);
}
