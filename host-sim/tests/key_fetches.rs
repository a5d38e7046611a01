//! What the filter sends for an issuer's key set, and what its log says of a redirect.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use host_sim::cases::{CaseFile, Template};
use host_sim::{
    Answer, CalloutRequest, CalloutResponse, Cluster, HeaderMap, Host, Instant, Plugin,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

fn plugin() -> Plugin {
    let now = Instant::default().unix_seconds();
    let cases = support::root().join("tests/cases/session-keys.yaml");
    let config = CaseFile::open(&cases).unwrap().config.unwrap();
    let config = Template::new(now, String::new()).value(&config).unwrap();
    Plugin::new(&support::filter()).configuration(config.to_string())
}

/// The requests for the key set, where each is answered like this; and the log.
fn fetched(answer: &Answer) -> (Vec<CalloutRequest>, Vec<String>) {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let (seen, answer) = (Rc::clone(&asked), answer.clone());
    let issuer = move |request: &CalloutRequest| {
        seen.borrow_mut().push(request.clone());
        answer.clone()
    };
    let builder = Host::builder()
        .cluster("issuer", Cluster::answering_with(issuer))
        .cluster("custody", Cluster::answering([]));
    let mut host = builder.plugin(plugin()).start().unwrap();
    host.advance(Duration::from_secs(2));
    let log = host.transcript().logs().map(|(_, line)| line.to_owned()).collect();
    (asked.take(), log)
}

#[test]
fn a_fetch_says_who_asks_and_for_what_and_has_no_content_type() {
    let (asked, _) = fetched(&Answer::json(200, "{}"));
    let headers = &asked.first().unwrap().message.headers;
    assert_eq!(headers.get("accept"), Some(&b"application/jwk-set+json, application/json"[..]));
    let agent = headers.get("user-agent").unwrap();
    assert!(agent.starts_with(b"leasehold-edge/"));
    assert_eq!(headers.get("content-type"), None);
}

#[test]
fn a_redirect_is_not_followed_and_its_place_is_in_the_log() {
    let place = format!("https://keys.example/{}", "a".repeat(300));
    let headers = HeaderMap::from([(":status", "302"), ("location", place.as_str())]);
    let response = CalloutResponse { headers, ..CalloutResponse::default() };
    let (asked, log) = fetched(&Answer::Response { response, delay: Duration::ZERO });
    assert!(asked.iter().all(|request| request.cluster == "issuer"));
    let shown = format!("status 302, a redirect to \"{}\", which", &place[..200]);
    assert!(log.iter().any(|line| line.contains(&shown)), "{log:?}");
}
