//! Links of a destination that names itself, followed by clients that know nothing but the gateway.

use std::collections::HashMap;
use std::process::Command;

use serde_json::{Value, json};
use stack::Way;
use stack::clients::Clients;
use stack::guest::Guest;
use stack::origin::ScriptedAnswer;
use tests::scene::{API, LEASED, Scene, builder, policy};

use crate::wide;

/// A gateway in front of an API with a renamed resource, and a list of three pages.
fn scene(gateway: &Value) -> Scene {
    let mut policy = policy();
    policy["gateway"] = gateway.clone();
    let scene = Scene::start(builder().way(Way::Gateway).policy(policy));
    let api = format!("https://{}", scene.at(API));
    let answer = |status, headers: &[(&str, String)], body: &str| ScriptedAnswer {
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        body: vec![body.as_bytes().to_vec().into()],
    };
    let style = "</style.css>; rel=preload".to_owned();
    let page = |number: u32| {
        let links = format!(
            "<{api}/v1/pages>; rel=\"first\"; title=\"a, b\", <{api}/v1/pages/{number}>; rel=\"next\""
        );
        [("link", style.clone()), ("link", links)]
    };
    scene.stack.origin().unwrap().scripted_answers().replace(HashMap::from([
        ("/v1/old".into(), answer(301, &[("location", format!("{api}/v1/new"))], "")),
        ("/v1/new".into(), answer(200, &[], "new")),
        ("/v1/pages".into(), answer(200, &page(2), "page 1")),
        ("/v1/pages/2".into(), answer(200, &page(3), "page 2")),
        ("/v1/pages/3".into(), answer(200, &[], "page 3")),
    ]));
    scene
}

#[test]
fn clients_of_a_gateway_follow_redirects_and_pages() {
    let scene = scene(&json!({"rewrite_links": "http"}));
    let base = format!("http://{}/{}", scene.edge(), scene.at(API));
    let mut python = Command::new(Clients::fetch().unwrap().python);
    python.arg("-I").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/clients/links.py"));
    python.env_clear().args([&base, &scene.session]);
    let got: Value = serde_json::from_str(&wide::run(&mut python)).unwrap();
    let reply = |path: &str, body: &str| json!({"url": format!("{base}{path}"), "status": 200, "body": body});
    let pages = [("/v1/pages", "page 1"), ("/v1/pages/2", "page 2"), ("/v1/pages/3", "page 3")];
    let expected: Vec<_> = [("/v1/new", "new")]
        .into_iter()
        .chain(pages)
        .map(|(path, body)| reply(path, body))
        .collect();
    assert_eq!(got, json!(expected));
    let bearer = format!("Authorization: Bearer {}", scene.session);
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let get = |path: &str| {
            let url = format!("{base}{path}");
            Guest::gateway().curl(&[version, "--header", &bearer, &url]).unwrap()
        };
        let location = format!("location: {base}/v1/new\r\n");
        let reply = get("/v1/old");
        assert!(reply.status == 301 && reply.headers.contains(&location), "{}", reply.headers);
        assert_eq!(get("/v1/new").body, "new", "{version}");
    }
    for seen in scene.stack.origin().unwrap().requests() {
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{seen:?}");
    }
}

/// The client then calls the destination itself, which it cannot reach.
#[test]
fn links_stay_where_the_gateway_does_not_rewrite_them() {
    let scene = scene(&json!({}));
    let bearer = format!("Authorization: Bearer {}", scene.session);
    let url = format!("http://{}/{}/v1/old", scene.edge(), scene.at(API));
    let reply = Guest::gateway().curl(&["--header", &bearer, &url]).unwrap();
    let location = format!("location: https://{}/v1/new\r\n", scene.at(API));
    assert!(reply.headers.contains(&location), "{}", reply.headers);
}
