//! The way of a request's own headers.

use super::tests::*;
use super::*;
use crate::headers::Headers;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::callout::Answer;
use serde_json::json;

#[test]
fn a_websocket_keeps_its_upgrade_and_nothing_else_of_the_connection() {
    let request = with(
        request("GET", "a.open.example", "/ws", &token()),
        [("connection", "Upgrade, Authorization"), ("upgrade", "websocket"), ("te", "trailers")],
    );
    assert_eq!(forwarded(admit(&mut edge(), request)), ["connection=upgrade"]);
}

#[test]
fn a_request_is_what_it_says_it_is() {
    let overrides = with(
        request("POST", "a.open.example", "/", &token()),
        [
            ("x-http-method-override", "DELETE"),
            ("x-original-url", "/admin"),
            ("x_forwarded_host", "b"),
            ("x-forwarded-for", "10.0.0.1"),
            // Envoy's own, which it cannot route without.
            ("x-forwarded-proto", "https"),
            ("x_forwarded_proto", "http"),
            ("x-real-ip", "10.0.0.1"),
        ],
    );
    let expected = [
        "-x-http-method-override",
        "-x-original-url",
        "-x_forwarded_host",
        "-x-forwarded-for",
        "-x_forwarded_proto",
        "-x-real-ip",
    ];
    assert_eq!(forwarded(admit(&mut edge(), overrides)), expected);
    for method in ["TRACE", "TRACK", "trace"] {
        let echo = request(method, "a.open.example", "/", &token());
        assert_eq!(denied(&mut edge(), echo), Denial::MethodNotAllowed, "{method}");
    }
}

#[test]
fn a_lease_leaves_no_other_spelling_of_its_header() {
    let mut edge = edge();
    let sent = with(
        request("GET", "api.github.com", "/repos/acme/x", &token()),
        [("x_api_key", "guess"), ("x-api-key", "guess"), ("Authorization_", "kept")],
    );
    let (wait, _) = asked(&mut edge, sent);
    let body = lease_body(|lease| lease["headers"][0]["name"] = json!("X-Api-Key"));
    let verdict = settle(wait, &mut edge, Answer::Response { status: 200, body: &body }, NOW);
    assert_eq!(forwarded(verdict), ["-x_api_key", "-x-api-key", "x-api-key=Bearer s3cret"]);
}

#[test]
fn names_with_underscores_are_taken_out_like_the_others() {
    let mut config = config();
    config["session"]["carriers"] = json!(["proxy-authorization", {"header": "x_session"}]);
    let mut edge = edge_of(&config);
    let sent = with(
        request("GET", "api.github.com", "/repos/acme/x", &token()),
        [("x_session", &token()), ("x-session", "other"), ("x-api-key", "guess")],
    );
    let (wait, _) = asked(&mut edge, sent);
    let body = lease_body(|lease| lease["headers"][0]["name"] = json!("x_api_key"));
    let verdict = settle(wait, &mut edge, Answer::Response { status: 200, body: &body }, NOW);
    let expected = ["-x_session", "-x-session", "-x-api-key", "x_api_key=Bearer s3cret"];
    assert_eq!(forwarded(verdict), expected);
}

#[test]
fn a_star_is_no_invented_method() {
    for method in ["GET", "DELETE", "PROPFIND", "VERSION-CONTROL"] {
        let request = request(method, "a.open.example", "/", &token());
        assert!(matches!(admit(&mut edge(), request), Verdict::Forward(_)), "{method}");
    }
    for method in ["M1", "get", "!#$%", "PURGE", "GET HEAD", "", "*", &"A".repeat(20_000)] {
        let request = request(method, "a.open.example", "/", &token());
        assert_eq!(denied(&mut edge(), request), Denial::MethodNotAllowed, "{method}");
    }
}

#[test]
fn an_upgrade_is_allowed_or_refused_and_never_ignored() {
    let upgrade = |path, protocol| {
        let headers = [("connection", "upgrade"), ("upgrade", protocol)];
        with(request("GET", "a.open.example", path, &token()), headers)
    };
    assert!(matches!(admit(&mut edge(), upgrade("/ws", "WebSocket")), Verdict::Forward(_)));
    for (path, protocol) in
        [("/", "websocket"), ("/ws", "h2c"), ("/ws", "websocket, h2c"), ("/ws", "")]
    {
        let denial = denied(&mut edge(), upgrade(path, protocol));
        assert_eq!(denial, Denial::UpgradeNotAllowed, "{path} {protocol}");
    }
    let twice = with(upgrade("/ws", "websocket"), [("upgrade", "websocket")]);
    assert_eq!(denied(&mut edge(), twice), Denial::UpgradeNotAllowed);
    // Nobody announced it: it is not an upgrade, and does not get as far as to look like one.
    let unannounced =
        with(request("GET", "a.open.example", "/", &token()), [("upgrade", "websocket")]);
    assert_eq!(forwarded(admit(&mut edge(), unannounced)), ["-upgrade"]);
}

#[test]
fn a_request_has_one_method_one_authority_one_path() {
    for name in [":method", ":authority", ":path"] {
        let whole = request("GET", "a.open.example", "/", &token());
        let pairs = || whole.headers.iter();
        let without: Headers = pairs().filter(|(own, _)| *own != name.as_bytes()).collect();
        let again = pairs().filter(|(own, _)| *own == name.as_bytes());
        for headers in [without, pairs().chain(again).collect()] {
            let broken = Request { headers, ..request("GET", "a.open.example", "/", &token()) };
            assert_eq!(denied(&mut edge(), broken), Denial::RequestMalformed, "{name}");
        }
    }
    let headers = [(":method", &[0xff][..]), (":path", b"/")].into_iter().collect();
    let broken = Request { headers, ..request("GET", "a.open.example", "/", &token()) };
    assert_eq!(denied(&mut edge(), broken), Denial::RequestMalformed);
}
