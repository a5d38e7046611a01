use crate::guest::{Guest, call, get, given, numbers, statuses};
use host_sim::{MetricKind, Status::*};

fn with_metrics(calls: &str) -> host_sim::Host {
    let mut guest = Guest::new();
    let (counter, gauge, histogram) = (guest.text("c"), guest.text("g"), guest.text("h"));
    let define = |kind: u32, name: &str| {
        call("proxy_define_metric", &format!("(i32.const {kind}) {name} (i32.const 16)"))
    };
    let defined = define(0, &counter)
        + &define(1, &gauge)
        + &define(2, &histogram)
        + &define(0, &counter)
        + &define(3, &counter);
    let mut host =
        guest.on("proxy_on_configure", &defined).on("proxy_on_request_headers", calls).start();
    host.exchange(get());
    host
}

fn increment(id: u32, offset: i64) -> String {
    call("proxy_increment_metric", &format!("(i32.const {id}) (i64.const {offset})"))
}

fn record(id: u32, value: i64) -> String {
    call("proxy_record_metric", &format!("(i32.const {id}) (i64.const {value})"))
}

#[test]
fn ids_tell_the_kind() {
    let host = with_metrics("");
    assert_eq!(given(&host, "proxy_define_metric"), ["4", "5", "6", "8"]);
    assert_eq!(statuses(&host, "proxy_define_metric"), [Ok, Ok, Ok, Ok, BadArgument]);
}

#[test]
fn a_counter_only_grows_and_a_gauge_goes_both_ways() {
    let calls = increment(4, 2)
        + &increment(8, 1)
        + &increment(4, 0)
        + &increment(4, -1)
        + &increment(5, 5)
        + &increment(5, -2)
        + &increment(6, 1)
        + &increment(12, 1);
    let host = with_metrics(&calls);
    let expected = [Ok, Ok, BadArgument, BadArgument, Ok, Ok, BadArgument, NotFound];
    assert_eq!(statuses(&host, "proxy_increment_metric"), expected);
    // Two ids of one name are one counter.
    assert_eq!(host.metric(MetricKind::Counter, "c"), Some(3));
    assert_eq!(host.metric(MetricKind::Gauge, "g"), Some(3));
}

#[test]
fn recording_adds_to_a_counter() {
    let get_metric = |id: i64| call("proxy_get_metric", &numbers(&[id, 16]));
    let calls = record(4, 5)
        + &record(4, 5)
        + &record(5, 7)
        + &record(6, 9)
        + &record(12, 1)
        + &get_metric(4)
        + &get_metric(5)
        + &get_metric(6)
        + &get_metric(13);
    let host = with_metrics(&calls);
    assert_eq!(statuses(&host, "proxy_record_metric"), [Ok, Ok, Ok, Ok, NotFound]);
    assert_eq!(statuses(&host, "proxy_get_metric"), [Ok, Ok, BadArgument, NotFound]);
    assert_eq!(host.metric(MetricKind::Counter, "c"), Some(10));
    assert_eq!(host.metric(MetricKind::Histogram, "h"), Some(9));
}
