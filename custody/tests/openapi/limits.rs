//! The limits in the description are those of the parsers: generated texts on each side of every limit.

use super::Described;
use super::common::stores::Store;
use super::common::workers::WorkersHome;
use custody::admin::target::Kind;
use custody::api::credential::Sent;
use custody::keys::Issuers;
use custody_base::actor::Actor;
use lease::{
    Authority, CURSOR_LENGTH, FAILURE_CODE_LENGTH, Handle, Host, IDEMPOTENCY_KEY_LENGTH,
    LEASE_ID_LENGTH, LeaseRequest, METHOD_LENGTH, OutcomeReport, PATH_LENGTH, SEEN_LIMIT,
    SESSION_ID_LENGTH, SYNC_WAIT_CEILING, SeenReport,
};
use serde_json::{Value, json};
use session::Rules;

fn issuers() -> Issuers {
    Issuers::new([Rules::new("https://control-plane.example", "leasehold-edge")])
}

/// Of every length that matters, and with every ASCII character, and one that is none, in each place.
fn texts(first: &str, longest: usize) -> Vec<String> {
    let lengths = [0, 1, 2, longest - 1, longest, longest + 1];
    let mut texts: Vec<_> = lengths
        .map(|length| first.chars().chain(std::iter::repeat('a')).take(length).collect())
        .into();
    for character in (0..128_u8).map(char::from).chain(['\u{e9}', '\u{212a}']) {
        texts.extend([
            format!("{character}"),
            format!("{first}{character}"),
            format!("{first}{character}a"),
            format!("{character}{first}"),
        ]);
    }
    texts
}

/// The schemas at these places allow what the parser takes, and nothing else.
fn agree(places: &[&str], texts: &[String], parses: impl Fn(&str) -> bool) {
    let described = Described::read();
    for place in places {
        let schema = described.schema(place);
        let (mut good, mut bad) = (0, 0);
        for text in texts {
            let (parsed, allowed) = (parses(text), schema.is_valid(&json!(text)));
            assert_eq!(parsed, allowed, "{place}: {text:?}, {} bytes", text.len());
            *(if parsed { &mut good } else { &mut bad }) += 1;
        }
        assert!(good > 2 && bad > 0, "{place}: {good} good, {bad} bad");
    }
}

fn member(schema: &str, name: &str) -> String {
    format!("/components/schemas/{schema}/properties/{name}")
}

fn parameter(operation: &str, name: &str) -> String {
    let Described(document) = Described::read();
    let operation = format!("/paths/{operation}");
    let parameters = document.pointer(&operation).unwrap()["parameters"].as_array().unwrap();
    let at = parameters.iter().position(|parameter| parameter["name"] == name).unwrap();
    format!("{operation}/parameters/{at}/schema")
}

fn check(places: &[String], texts: &[String], parses: impl Fn(&str) -> bool) {
    let places: Vec<_> = places.iter().map(String::as_str).collect();
    agree(&places, texts, parses);
}

const CREDENTIAL: &str = "~1v1~1credentials~1{actor}~1{handle}";

#[test]
fn handles_and_actors_are_described_as_they_are_parsed() {
    let places = [
        member("LeaseRequest", "handle"),
        member("Question", "handle"),
        member("StoreOrder", "service"),
        member("FetchOrder", "service"),
        parameter("~1v1~1leases/get", "handle"),
        parameter(&format!("{CREDENTIAL}/put"), "handle"),
    ];
    let texts = texts("h", Handle::MAX_LENGTH);
    check(&places, &texts, |text| text.parse::<Handle>().is_ok());
    let places = [
        member("StoreOrder", "actor"),
        member("FetchOrder", "actor"),
        member("TeardownOrder", "actor"),
        parameter("~1v1~1leases/get", "actor"),
        parameter(&format!("{CREDENTIAL}/get"), "actor"),
    ];
    check(&places, &texts, |text| text.parse::<Actor>().is_ok());
}

#[test]
fn ids_cursors_and_methods_are_described_as_they_are_parsed() {
    let places = [
        parameter("~1v1~1leases/get", "lease"),
        parameter("~1v1~1leases~1{id}~1outcome/post", "id"),
    ];
    check(&places, &texts("l", LEASE_ID_LENGTH), lease::is_lease_id);
    let places = [
        parameter("~1v1~1leases/get", "session"),
        parameter("~1v1~1revocations~1{kind}~1{id}/delete", "id"),
        member("SeenReport", "sessions/items"),
    ];
    let issuers = issuers();
    let is_session = |text: &str| Kind::Session.target(text.to_owned(), &issuers).is_ok();
    check(&places, &texts("s", SESSION_ID_LENGTH), is_session);
    let places = [parameter("~1v1~1sync/get", "cursor"), member("SyncAnswer", "cursor")];
    check(&places, &texts("c", CURSOR_LENGTH), lease::is_cursor);
    let places = [member("LeaseRequest", "method"), member("Question", "method")];
    check(&places, &texts("M", METHOD_LENGTH), lease::is_method);
}

#[test]
fn an_id_that_is_revoked_is_described_by_its_kind() {
    let schema = Described::read().schema("/components/schemas/RevocationOrder");
    for kind in [Kind::Session, Kind::Lease, Kind::Handle, Kind::Actor] {
        let mut texts = texts("x", LEASE_ID_LENGTH);
        texts.extend([SESSION_ID_LENGTH, SESSION_ID_LENGTH + 1].map(|length| "x".repeat(length)));
        for id in texts {
            let parsed = kind.target(id.clone(), &issuers()).is_ok();
            let order = json!({"kind": kind.name(), "id": id});
            assert_eq!(parsed, schema.is_valid(&order), "{order}");
        }
    }
}

fn is_lease_request(name: &str, value: &str) -> bool {
    let mut request = json!({"session": "s", "handle": "h", "destination": "api.github.com",
        "method": "GET", "path": "/", "binding": "session"});
    request[name] = json!(value);
    LeaseRequest::decode(request.to_string().as_bytes()).is_ok()
}

#[test]
fn the_other_members_of_a_lease_request_are_described_as_they_are_parsed() {
    let digests = [63, 64, 65].map(|length| "0".repeat(length));
    let digests: Vec<_> = digests
        .into_iter()
        .chain((0..128_u8).map(|byte| format!("{}{}", "f".repeat(63), char::from(byte))))
        .collect();
    for (name, texts) in [
        ("path", texts("/", PATH_LENGTH)),
        ("idempotency_key", texts("k", IDEMPOTENCY_KEY_LENGTH)),
        ("fingerprint", digests.clone()),
        ("body_digest", digests),
    ] {
        check(&[member("LeaseRequest", name)], &texts, |text| is_lease_request(name, text));
    }
}

/// Labels at the end of a name: numbers, what looks like one, and addresses.
const ENDINGS: [&str; 12] = [
    "0",
    "1",
    "0x",
    "0X1f",
    "0xg",
    "00x1",
    "1a",
    "a1",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "256.1.1.1",
];
/// IPv6 addresses, and texts like them.
const IN_BRACKETS: [&str; 22] = [
    "::",
    "1::",
    "::1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7::",
    "::2:3:4:5:6:7:8",
    "1::2:3:4:5:6:7:8",
    "1:2:3:4:5:6:1.2.3.4",
    "::1.2.3.4",
    "1::2:1.2.3.4",
    "1:2:3:4:5:6::1.2.3.4",
    "1:2:3:4:5::1.2.3.4",
    "::ffff:01.2.3.4",
    "12345::",
    "1::2::3",
    ":::",
    "1.2.3.4",
    "",
    ":",
    "1:",
    "::g",
];

#[test]
fn a_destination_that_is_parsed_is_described() {
    let (label, long) = ("a".repeat(Host::MAX_LABEL), "a".repeat(Host::MAX_LABEL + 1));
    let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(name.len(), Host::MAX_LENGTH);
    let mut texts = texts("h", Host::MAX_LABEL);
    for host in [&label, &long, &name, "a.b", "a..b", ".a", "a.b.", "1.2.3.4", "[::1]", "[1", "a_b"]
    {
        texts.push(host.to_owned());
        for port in
            ["", "0", "1", "9999", "10000", "59999", "64999", "65535", "65536", "99999", "01"]
        {
            texts.push(format!("{host}:{port}"));
        }
    }
    for ending in ENDINGS {
        texts
            .extend([ending, &format!("a.{ending}"), &format!("{ending}.:443")].map(str::to_owned));
    }
    for address in IN_BRACKETS {
        texts.push(format!("[{address}]:443"));
    }
    texts.extend([format!("{name}."), format!("{name}a")]);
    let places = [member("LeaseRequest", "destination"), member("Question", "destination")];
    check(&places, &texts, |text| Authority::parse(text.as_bytes(), 443).is_ok());
}

#[test]
fn reports_are_described_as_they_are_parsed() {
    let described = Described::read();
    let decodes = |report: &Value| OutcomeReport::decode(report.to_string().as_bytes()).is_ok();
    let outcome = "/v1/leases/{id}/outcome";
    for code in texts("c", FAILURE_CODE_LENGTH) {
        let report = json!({"outcome": "failed", "failure_code": code});
        assert_eq!(decodes(&report), described.allows("POST", outcome, &report), "{report}");
    }
    for kind in ["accepted", "delivered", "failed", "lost"] {
        for report in [json!({"outcome": kind}), json!({"outcome": kind, "failure_code": "x"})] {
            assert_eq!(decodes(&report), described.allows("POST", outcome, &report), "{report}");
        }
    }
    for count in [0, 1, SEEN_LIMIT, SEEN_LIMIT + 1] {
        let report = json!({"sessions": vec!["s"; count]});
        let decoded = SeenReport::decode(report.to_string().as_bytes()).is_ok();
        assert_eq!(decoded, described.allows("POST", "/v1/seen", &report), "{count}");
    }
}

/// What is parsed behind a listener: the numbers.
#[tokio::test]
async fn numbers_are_described_as_they_are_parsed() {
    let workers = WorkersHome::new(Store::Sqlite);
    let running = workers.home.serve();
    let described = Described::read();
    let limit = described.schema(&parameter("~1v1~1leases/get", "limit"));
    for value in [0, 1, 2, 9999, 10_000, 10_001, u64::from(u32::MAX) + 1] {
        let path = format!("/v1/leases?limit={value}");
        let client = workers.home.operator_client();
        let answer = client.send(running.admin, "GET", &path, &[], None).await.unwrap();
        assert_eq!(answer.status == 200, limit.is_valid(&json!(value)), "{path}");
    }
    let wait = described.schema(&parameter("~1v1~1sync/get", "wait"));
    for value in [0, 1, SYNC_WAIT_CEILING + 1] {
        let path = format!("/v1/sync?wait={value}");
        let answer = workers.home.edge_client().send(running.edge, "GET", &path, &[], None).await;
        assert_eq!(answer.unwrap().status == 200, wait.is_valid(&json!(value)), "{path}");
    }
    let ttl = described.schema(&member("FetchOrder", "ttl"));
    for value in [
        json!(0),
        json!(1),
        json!(900),
        json!(901),
        json!(-1),
        json!(1.5),
        json!(820.0),
        json!(null),
    ] {
        let token = workers.token("cred.fetch", "a", "absent");
        let body = json!({"actor": "a", "service": "absent", "ttl": value});
        let answer = workers.call(&running, "fetch", &token, body).await;
        assert_eq!(answer.status == 404, ttl.is_valid(&value), "{value}: {}", answer.text());
    }
}

/// A credential of each type, with `text` in one field.
fn credentials(text: &str) -> Vec<Value> {
    vec![
        json!({"type": "bearer", "token": text}),
        json!({"type": "basic", "user": text, "password": "p"}),
        json!({"type": "basic", "user": "u", "password": text}),
        json!({"type": "api_key", "header": text, "key": "k"}),
        json!({"type": "api_key", "header": "x-a", "key": text}),
        json!({"type": "header_set", "headers": [{"name": text, "value": "v"}]}),
        json!({"type": "header_set", "headers": [{"name": "x-a", "value": text}]}),
        json!({"type": "ssh_certificate", "certificate": text, "private_key": "k"}),
        json!({"type": "ssh_certificate", "certificate": "c", "private_key": text}),
        json!({"type": "kerberos_ticket", "principal": text, "ccache": "YQ=="}),
        json!({"type": "kerberos_ticket", "principal": "p", "ccache": text}),
        json!({"type": "opaque", "bytes": text}),
    ]
}

#[test]
fn credentials_are_described_as_they_are_parsed() {
    let schema = Described::read().schema("/components/schemas/Credential");
    let mut texts = texts("x", 128);
    texts.extend(
        [
            "YQ==",
            "YR==",
            "YWI=",
            "YWJ=",
            "YWJj",
            "YWJjYQ==",
            "YQ",
            "a\u{85}",
            "Host",
            "hosts",
            "TE",
            "tea",
            "Upgrade",
            "proxy-a",
            "Proxy-",
            "proxy",
            "X-Envoy-a",
            "x-envoys",
            "Keep-Alive",
            "transfer-encoding",
            "Expect",
        ]
        .map(str::to_owned),
    );
    let (mut good, mut bad) = (0, 0);
    for credential in texts.iter().flat_map(|text| credentials(text)) {
        let sent: Sent = serde_json::from_value(credential.clone()).unwrap();
        let parsed = sent.credential().is_ok();
        assert_eq!(parsed, schema.is_valid(&credential), "{credential}");
        *(if parsed { &mut good } else { &mut bad }) += 1;
    }
    let none = json!({"type": "header_set", "headers": []});
    assert!(!schema.is_valid(&none));
    assert!(good > 100 && bad > 100, "{good} good, {bad} bad");
}
