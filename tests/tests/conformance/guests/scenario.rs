//! What is asked of a guest, and what can be seen of it from outside.

use super::server::Says;

/// Guests in their configurations, one behind the other, and requests to them.
pub struct Scenario {
    pub name: &'static str,
    pub filters: Vec<Filter>,
    pub asks: Vec<Ask>,
    /// What the upstream answers with.
    pub origin: &'static str,
    /// The cluster `authority`; `None`: there is none.
    pub authority: Option<Says>,
}

#[derive(Clone, Copy)]
pub struct Filter {
    /// Of this plugin alone.
    pub name: &'static str,
    pub root_id: &'static str,
    pub configuration: &'static str,
    pub vm_id: &'static str,
}

#[derive(Clone, Copy)]
pub struct Ask {
    pub path: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    /// With a body it is a POST.
    pub body: Option<&'static str>,
}

/// Of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub status: u16,
    /// What the guest of the proxy got, without what every connection writes for itself.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub upstream: Option<Upstream>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Upstream {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Of one scenario.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub seen: Vec<Seen>,
    /// How often the authority was asked, and for which path.
    pub asked: Vec<String>,
    /// What the guest logged about requests, at level info and above.
    pub log: Vec<String>,
    /// The guest's own counters and gauges.
    pub metrics: Vec<(String, u64)>,
}

/// Framing and dates, which are each connection's own.
const OF_THE_CONNECTION: [&str; 5] =
    ["connection", "content-length", "date", "host", "transfer-encoding"];

const GET: Ask = Ask { path: "/a", headers: &[], body: None };

/// Headers in a fixed order: Envoy keeps its own ones apart.
pub fn comparable(headers: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut headers: Vec<_> = headers
        .filter(|(name, _)| !name.starts_with(':') && !OF_THE_CONNECTION.contains(&name.as_str()))
        .collect();
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    headers
}

/// Requests through two witnesses, `first` and `second`.
fn chained(name: &'static str, vm_ids: [&'static str; 2], asks: &[Ask]) -> Scenario {
    let filter = |name, vm_id| Filter { name, root_id: "witness", configuration: name, vm_id };
    Scenario {
        name,
        filters: vec![filter("first", vm_ids[0]), filter("second", vm_ids[1])],
        asks: asks.to_vec(),
        origin: "answer\n",
        authority: Some(Says::Answer(200, "0")),
    }
}

fn chains() -> Vec<Scenario> {
    let post = Ask { body: Some("lines\n"), ..GET };
    let deed = |headers| Ask { headers, ..GET };
    let posting = |headers| Ask { headers, ..post };
    let one = ["one", "one"];
    vec![
        chained("two filters in one VM", one, &[GET, post]),
        chained("two filters in two VMs", ["one", "two"], &[GET, post]),
        chained("the first replies", one, &[deed(&[("x-do", "first=reply")]), GET]),
        chained("the second replies", one, &[deed(&[("x-do", "second=reply")])]),
        chained("the first replies to a body", one, &[posting(&[("x-do", "first=reply-to-body")])]),
        chained(
            "the second replies to a body",
            one,
            &[posting(&[("x-do", "second=reply-to-body")])],
        ),
        chained("the first waits", one, &[posting(&[("x-do", "first=ask")])]),
        chained("the second waits", one, &[posting(&[("x-do", "second=ask")])]),
        chained(
            "both wait, in two VMs",
            ["one", "two"],
            &[posting(&[("x-do", "first=ask, second=ask")])],
        ),
        chained("the first holds a body", one, &[posting(&[("x-do", "first=hold-body")])]),
        chained(
            "the first replies to a response",
            one,
            &[deed(&[("x-do", "first=reply-to-response")])],
        ),
        chained(
            "the second replies to a response",
            one,
            &[deed(&[("x-do", "second=reply-to-response")])],
        ),
    ]
}

pub fn all() -> Vec<Scenario> {
    let guest = |name, root_id, configuration, asks: &[Ask]| Scenario {
        name,
        filters: vec![Filter { name: "guest", root_id, configuration, vm_id: "" }],
        asks: asks.to_vec(),
        origin: "one secret, two secrets\n",
        authority: None,
    };
    let auth = |name, authority| Scenario { authority, ..guest(name, "auth", "", &[GET, GET]) };
    let browser: &[(&str, &str)] = &[("user-agent", "curl"), ("cookie", "a=1"), ("x-two", "1")];
    let post = Ask { body: Some("lines\n"), ..GET };
    let mut all = vec![
        guest("headers, no setting", "headers", "", &[Ask { headers: browser, ..GET }]),
        guest("headers, a setting", "headers", "mine", &[Ask { headers: browser, ..GET }]),
        guest("no root id at all", "", "", &[GET]),
        guest("a local reply", "headers", "", &[Ask { path: "/hello", ..GET }, GET]),
        guest("a body in one piece", "headers", "", &[post]),
        auth("allowed", Some(Says::Answer(200, "0"))),
        auth("refused", Some(Says::Answer(200, "1"))),
        auth("an answer without a body", Some(Says::Answer(200, ""))),
        auth("an answer that is an error", Some(Says::Answer(500, "0"))),
        auth("an answer that never comes", Some(Says::Nothing)),
        auth("a connection that closes", Some(Says::Close)),
        auth("no such cluster", None),
        guest("counted", "counter", "", &[GET, GET, GET]),
        guest("bodies rewritten", "bodies", "", &[post, GET]),
        guest("bodies, another word", "bodies", "one", &[post]),
        guest("bodies, nothing to black out", "bodies", "absent", &[post, post]),
    ];
    all.extend(chains());
    all
}
