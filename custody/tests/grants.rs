//! Grants: what is minted is within what was asked, within what was granted; and new ones without a
//! restart.
//! Grants are a file and a decision in memory; one ledger is enough.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use custody::grants::{Grant, GrantActor, GrantedBinding, Grants, ReloadFault};
use custody_backends::Restriction;
use inside::stores::Store;
use inside::{Inside, START};
use lease::{Authority, Binding, fingerprint};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;

/// A grant in the fewest words; the test's own reading of it is [`Spec::allows`].
#[derive(Debug, Clone)]
struct Spec {
    handle: usize,
    hosts: BTreeSet<usize>,
    teams: BTreeSet<usize>,
    methods: Option<BTreeSet<usize>>,
    ttl: u64,
    binding: u8,
    scopes: BTreeSet<usize>,
}

/// A request, likewise.
#[derive(Debug, Clone)]
struct Asked {
    handle: usize,
    host: usize,
    team: usize,
    method: usize,
    single_use: bool,
    /// Seconds the session has left.
    left: u64,
    /// Seconds the source's credential has left, and its scopes.
    credential: Option<u64>,
}

const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];

fn spec() -> impl Strategy<Value = Spec> {
    let set = |most| prop::collection::btree_set(0..3usize, 1..=most);
    (0..2usize, set(2), set(2), prop::option::of(set(2)), 1..=900u64, 0..3u8, set(3)).prop_map(
        |(handle, hosts, teams, methods, ttl, binding, scopes)| Spec {
            handle,
            hosts,
            teams,
            methods,
            ttl,
            binding,
            scopes,
        },
    )
}

fn asked() -> impl Strategy<Value = Asked> {
    let credential = prop::option::of(1..2000u64);
    (0..3usize, 0..3usize, 0..4usize, 0..3usize, any::<bool>(), 1..3600u64, credential).prop_map(
        |(handle, host, team, method, single_use, left, credential)| Asked {
            handle,
            host,
            team,
            method,
            single_use,
            left,
            credential,
        },
    )
}

impl Spec {
    fn grant(&self) -> Grant {
        let hosts = self.hosts.iter().map(|host| format!("h{host}.example").parse().unwrap());
        let teams: Vec<_> = self.teams.iter().map(|team| format!("t{team}")).collect();
        let methods =
            |methods: &BTreeSet<usize>| methods.iter().map(|m| METHODS[*m].into()).collect();
        Grant {
            handle: format!("c{}", self.handle).parse().unwrap(),
            actor: GrantActor::Named(format!("owner-of-c{}", self.handle).parse().unwrap()),
            destinations: hosts.collect(),
            claims: serde_json::from_value(json!({"team": teams})).unwrap(),
            methods: self.methods.as_ref().map(methods),
            ttl: self.ttl,
            binding: [GrantedBinding::Session, GrantedBinding::SingleUse, GrantedBinding::Any]
                [usize::from(self.binding)],
            purpose: None,
            restriction: Restriction {
                scopes: self.scopes.iter().map(|scope| format!("s{scope}")).collect(),
                ..Restriction::default()
            },
        }
    }

    fn allows(&self, asked: &Asked) -> bool {
        self.handle == asked.handle
            && self.hosts.contains(&asked.host)
            && self.teams.contains(&asked.team)
            && self.methods.as_ref().is_none_or(|methods| methods.contains(&asked.method))
            && match self.binding {
                0 => !asked.single_use,
                1 => asked.single_use,
                _ => true,
            }
    }
}

impl Asked {
    fn request(&self, inside: &Inside, number: usize) -> serde_json::Value {
        let host = format!("h{}.example", self.host);
        let destination = Authority::parse(host.as_bytes(), 443).unwrap();
        let (method, key) = (METHODS[self.method], number.to_string());
        let claims = json!({"jti": format!("j{number}"), "team": format!("t{}", self.team),
            "exp": START + self.left});
        let mut request = json!({"session": inside.token(&claims), "method": method, "path": "/",
            "handle": format!("c{}", self.handle), "destination": destination.to_string(),
            "binding": "session", "idempotency_key": key});
        if self.single_use {
            request["binding"] = "single_use".into();
            request["fingerprint"] =
                fingerprint(method, &destination, "/", Some(&key), None).into();
        }
        request
    }
}

#[test]
fn minted_is_within_requested_is_within_granted() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let inside = runtime.block_on(Inside::with(
        Store::Sqlite,
        "",
        "limits: {per_session: off, per_handle: off}",
        1,
    ));
    let number = std::cell::Cell::new(0);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) };
    proptest!(config, |(specs in prop::collection::vec(spec(), 0..4), asked in asked())| {
        number.set(number.get() + 1);
        let grants = specs.iter().map(Spec::grant).collect();
        inside.replace(Grants::new(grants, number.get().to_string()));
        if let Some(left) = asked.credential {
            inside.sources.then(inside::scripted::Step::Ends(START + left));
        }
        inside.sources.asked.lock().unwrap().clear();
        let answer = runtime.block_on(inside.lease(&asked.request(&inside, number.get())));
        let questions = std::mem::take(&mut *inside.sources.asked.lock().unwrap());
        inside.sources.steps.lock().unwrap().clear();
        let Some(spec) = specs.iter().find(|spec| spec.allows(&asked)) else {
            prop_assert_eq!(answer.status, 403);
            prop_assert!(questions.is_empty());
            return Ok(());
        };
        prop_assert_eq!(answer.status, 200, "{}", answer.body);
        let [question] = &questions[..] else { panic!("{questions:?}") };
        // Asked of the source: no more than granted, for what was requested.
        prop_assert_eq!(&question.handle, &format!("c{}", asked.handle));
        prop_assert_eq!(&question.actor, &format!("owner-of-c{}", asked.handle));
        prop_assert_eq!(question.destination.as_deref(), Some(&*format!("h{}.example:443", asked.host)));
        prop_assert_eq!(&question.restriction, &spec.grant().restriction);
        prop_assert!(question.until <= START + spec.ttl.min(asked.left));
        // Given to the edge: no more than that.
        let lease = lease::Lease::decode(answer.body.as_bytes()).unwrap();
        prop_assert!(START < lease.expires_at && lease.expires_at <= question.until);
        prop_assert!(asked.credential.is_none_or(|left| lease.expires_at <= START + left));
        prop_assert_eq!(lease.binding == Binding::SingleUse, asked.single_use);
    });
}

#[tokio::test]
async fn a_scope_wider_than_granted_is_no_lease() {
    let inside = Inside::new(Store::Sqlite).await;
    inside.edit("handle: g,", "narrow: {scopes: [read, list]}, handle: g,");
    inside.file.reload("test").await.unwrap();
    let mut request = inside.request();
    request["handle"] = "g".into();
    for (scope, status) in
        [(&["read"][..], 200), (&[], 200), (&["list", "read"], 200), (&["read", "write"], 503)]
    {
        inside.sources.then(inside::scripted::Step::Scope(scope));
        assert_eq!(inside.lease(&request).await.status, status, "{scope:?}");
    }
    assert_eq!(inside.last_record()["reason"], "credential_unfit");
    assert_eq!(inside.sources.asked.lock().unwrap()[0].restriction.scopes, ["read", "list"]);
}

#[tokio::test]
async fn new_grants_are_in_force_as_a_whole_and_wrong_ones_are_not() {
    let inside = Inside::new(Store::Sqlite).await;
    let mut request = inside.request();
    request["handle"] = "g".into();
    assert_eq!(inside.lease(&request).await.status, 200);
    let same = inside.file.reload("ada").await.unwrap();
    assert!(!same.changed && same.grants == 4);
    assert_ne!(inside.last_record()["event"], "grants_reloaded", "nothing happened");

    // One right change and one wrong: neither counts.
    inside.edit("handle: g,", "handle: new,");
    inside.edit("handle: once, destinations: [a.example]", "handle: once, destinations: ['*.com']");
    let fault = inside.file.reload("ada").await.unwrap_err();
    let ReloadFault::Config(faults) = fault else { panic!("{fault}") };
    assert!(faults.to_string().contains("grants[2].destinations[0]"), "{faults}");
    let last = inside.last_record();
    assert_eq!((&last["event"], &last["by"]), (&json!("grants_refused"), &json!("ada")));
    assert_eq!(last["grants_digest"], same.digest, "the old ones stay");
    assert_eq!(inside.lease(&request).await.status, 200);

    inside.edit("'*.com'", "b.example");
    let new = inside.file.reload("ada").await.unwrap();
    assert!(new.changed && new.digest != same.digest);
    let last = inside.last_record();
    assert_eq!((&last["event"], &last["by"]), (&json!("grants_reloaded"), &json!("ada")));
    assert_eq!(last["grants_digest"], new.digest);
    assert_eq!(inside.lease(&request).await.status, 403);
    request["handle"] = "new".into();
    assert_eq!(inside.lease(&request).await.status, 200);
}

#[tokio::test]
async fn without_a_record_the_old_grants_stay() {
    let inside = Inside::new(Store::Sqlite).await;
    let before = inside.grants.current().digest().to_owned();
    inside.edit("handle: g,", "handle: new,");
    inside.audit.close().await.unwrap();
    assert!(matches!(inside.file.reload("ada").await, Err(ReloadFault::Audit(_))));
    assert_eq!(inside.grants.current().digest(), before);
}

#[tokio::test]
async fn a_file_that_is_gone_or_no_yaml_changes_nothing() {
    let inside = Inside::new(Store::Sqlite).await;
    let before = inside.grants.current().digest().to_owned();
    let text = std::fs::read_to_string(inside.config_path()).unwrap();
    for broken in ["", "a: [", "- a", "grants: 7"] {
        std::fs::write(inside.config_path(), broken).unwrap();
        let outcome = inside.file.reload("ada").await;
        // An empty file is a mapping without sections to nobody.
        assert!(outcome.is_err(), "{broken:?}");
    }
    std::fs::remove_file(inside.config_path()).unwrap();
    assert!(inside.file.reload("ada").await.is_err());
    assert_eq!(inside.grants.current().digest(), before);
    std::fs::write(inside.config_path(), format!("# a comment\n{text}")).unwrap();
    assert!(!inside.file.reload("ada").await.unwrap().changed);
}

#[tokio::test]
async fn change_before_the_watch_begins_is_in_force() {
    let inside = Inside::new(Store::Sqlite).await;
    let before = inside.grants.current().digest().to_owned();
    // Custody has read the file, and does not watch it yet.
    inside.edit("handle: g,", "handle: new,");
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let watching = inside.file.watch(stopped);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), watching).await;
    assert_ne!(inside.grants.current().digest(), before);
    let last = inside.last_record();
    assert_eq!((&last["event"], &last["by"]), (&json!("grants_reloaded"), &json!("file")));
}
