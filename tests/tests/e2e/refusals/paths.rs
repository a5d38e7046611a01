//! Methods and paths: what is matched is the canonical path, and what can be read in two ways is
//! refused, never matched raw.

use tests::scene::{API, LEASED, OPEN, Scene};

#[test]
fn paths_that_can_be_read_in_two_ways_are_refused() {
    let scene = Scene::explicit();
    for path in [
        "/v1/../admin",
        "/v1/..",
        "/v1/././models",
        "/v1/models/.",
        "/v1/%2e%2e/admin",
        "/v1/%2E%2e/admin",
        "/v1/.%2e/admin",
        "/v1/%2e/models",
        "//v1/models",
        "/v1//models",
        "/v1/models//",
        "/v1/a%2fb",
        "/v1/a%2Fb",
        "/v1/..%2fadmin",
        "/v1/a%5cb",
        "/v1/a%5Cb",
        "/v1/a\\b",
        "/v1/..\\admin",
        "/v1/..;/admin",
        "/v1/a;b=c",
        "/v1/a%00",
        "/v1/a%0d%0aX-Injected:%201",
        "/v1/a%7f",
        "/v1/a%",
        "/v1/a%4",
        "/v1/a%zz",
    ] {
        scene.refuses(path, (403, "path_malformed"), || scene.inside(API, scene.get(API, path)));
    }
    // What Envoy itself calls no path.
    for path in ["/v1/a#b", "/v1/a b", "/v1/\x01", "/v1/\u{e9}", "v1/models", "*", ""] {
        scene.drops(path, || scene.inside(API, scene.get(API, path)));
    }
    for (path, arrives) in [
        ("/v1/models", "/v1/models"),
        ("/v1/./models", "/v1/models"),
        ("/v1/%61", "/v1/a"),
        ("/v1/%7euser/%2D", "/v1/~user/-"),
        ("/v1/a%3ab%c3%a9", "/v1/a%3Ab%C3%A9"),
        ("/v1/models/", "/v1/models/"),
        ("/v1/...", "/v1/..."),
        ("/v1/100%25", "/v1/100%25"),
        ("/v1/a?next=/../%2f;x&y=%00", "/v1/a?next=/../%2f;x&y=%00"),
    ] {
        let seen = scene.accepts(path, || scene.inside(API, scene.get(API, path)));
        assert_eq!(seen.path, arrives, "{path}");
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{path}");
    }
}

#[test]
fn methods_and_paths_that_are_not_listed_are_refused() {
    let scene = Scene::explicit();
    let request = |line: &str| {
        let host = scene.at(API);
        format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n")
    };
    for (line, reason) in [
        ("DELETE /v1/models", "method_not_allowed"),
        ("PUT /v1/models", "method_not_allowed"),
        ("OPTIONS /v1/models", "method_not_allowed"),
        ("TRACE /v1/models", "method_not_allowed"),
        ("POST /v1/models", "path_not_allowed"),
        ("POST /v1/messages/", "path_not_allowed"),
        ("POST /v1/messages/1", "path_not_allowed"),
        ("POST /v1/a/b/runs", "path_not_allowed"),
        ("POST /v1/runs", "path_not_allowed"),
        ("GET /", "path_not_allowed"),
        ("GET /v2/models", "path_not_allowed"),
        ("GET /V1/models", "path_not_allowed"),
        ("GET /v10/models", "path_not_allowed"),
        ("GET /?x=/v1/models", "path_not_allowed"),
        ("GET /x/v1/models", "path_not_allowed"),
        ("GET /%76%32/models", "path_not_allowed"),
    ] {
        scene.refuses(line, (403, reason), || scene.inside(API, request(line)));
    }
    // Methods are case-sensitive, and the star means the registry.
    for line in ["get /v1/models", "GETT /v1/models", "X-Y /v1/models"] {
        let refused = (403, "method_not_allowed");
        scene.refuses(line, refused, || scene.inside(API, request(line)));
    }
    // What Envoy itself does not accept as a method.
    scene.drops("a method that is not a token", || scene.inside(API, request("G@T /v1/models")));
    for line in ["GET /v1/models", "HEAD /v1/models", "PATCH /v1/a/b", "POST /v1/messages"] {
        scene.accepts(line, || scene.inside(API, request(line)));
    }
    scene.accepts("POST below a star", || scene.inside(API, request("POST /v1/7/runs")));
    // A destination without a credential has rules of its own.
    scene.accepts("open", || scene.inside(OPEN, scene.get(OPEN, "/anything")));
}
