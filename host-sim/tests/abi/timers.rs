use crate::guest::{Guest, call, callbacks, get, numbers};
use std::time::Duration;

fn ticks(host: &host_sim::Host) -> usize {
    callbacks(host).iter().filter(|(name, _)| *name == "proxy_on_tick").count()
}

#[test]
fn a_tick_comes_again_and_again_until_zero_stops_it() {
    let set = |period: i64| call("proxy_set_tick_period_milliseconds", &numbers(&[period]));
    let guest = Guest::new()
        .on("proxy_on_configure", &set(100))
        .on("proxy_on_tick", "")
        .on("proxy_on_request_headers", &set(0));
    let mut host = guest.start();
    host.advance(Duration::from_millis(99));
    assert_eq!(ticks(&host), 0);
    host.advance(Duration::from_millis(1));
    assert_eq!(ticks(&host), 1);
    host.advance(Duration::from_millis(350));
    assert_eq!(ticks(&host), 4);
    // Settling waits for answers and not for timers.
    host.exchange(get());
    assert_eq!(ticks(&host), 4);
    host.advance(Duration::from_secs(10));
    assert_eq!(ticks(&host), 4);
}

#[test]
fn a_new_period_replaces_the_old_timer() {
    let set = |period: i64| call("proxy_set_tick_period_milliseconds", &numbers(&[period]));
    let guest =
        Guest::new().on("proxy_on_configure", &(set(10) + &set(1000))).on("proxy_on_tick", "");
    let mut host = guest.start();
    host.advance(Duration::from_millis(999));
    assert_eq!(ticks(&host), 0);
    host.advance(Duration::from_millis(1));
    assert_eq!(ticks(&host), 1);
}
