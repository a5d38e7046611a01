use super::*;
use crate::grants::{Grant, GrantActor, GrantedBinding};
use custody_backends::Restriction;
use custody_base::actor::Actor;

fn grants(of: &[(&str, &str)]) -> Grants {
    let grant = |(actor, handle): &(&str, &str)| Grant {
        handle: handle.parse().unwrap(),
        actor: GrantActor::Named(actor.parse().unwrap()),
        destinations: vec!["a.example".parse().unwrap()],
        claims: serde_json::from_value(serde_json::json!({"a": ["b"]})).unwrap(),
        methods: None,
        ttl: 300,
        binding: GrantedBinding::Any,
        purpose: None,
        restriction: Restriction::default(),
    };
    Grants::new(of.iter().map(grant).collect(), String::new())
}

fn handle(name: &str) -> Target {
    Target::Handle(name.parse().unwrap())
}

fn actor(name: &str) -> Target {
    Target::Actor(name.parse::<Actor>().unwrap())
}

fn revoked(target: Target, until: Until) -> Change {
    Change::Revoked { target, until }
}

fn in_force(target: Target, until: Until) -> Revocation {
    Revocation { target, at: 0, until, by: "ada".into() }
}

/// `h+` is revoked, `h-` is not; `h+7` until then.
fn text(sync_changes: &[SyncChange]) -> String {
    let word = |change: &SyncChange| {
        let until = change.until.map_or(String::new(), |until| until.to_string());
        format!("{}{}{until}", change.id, if change.revoked { "+" } else { "-" })
    };
    sync_changes.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_actor_is_told_as_its_handles() {
    let grants = grants(&[("ada", "a1"), ("ada", "a2"), ("bob", "b1"), ("ada", "a1")]);
    let full = |changes: &[Change]| text(&full(changes, &grants));
    assert_eq!(full(&[revoked(actor("ada"), None)]), "a1+ a2+");
    assert_eq!(full(&[revoked(actor("nobody"), None)]), "");
    assert_eq!(full(&[revoked(handle("not-granted"), Some(7))]), "not-granted+7");
    let session = revoked(Target::Session("s".into()), Some(7));
    assert_eq!(full(&[session, revoked(actor("bob"), Some(9))]), "s+7 b1+9");
}

#[test]
fn of_two_revocations_of_a_handle_the_later_end_counts() {
    let grants = grants(&[("ada", "a1")]);
    for (one, other, expected) in [
        (Some(7), Some(9), "a1+9"),
        (Some(9), Some(7), "a1+9"),
        (None, Some(7), "a1+"),
        (Some(7), None, "a1+"),
    ] {
        let changes = [revoked(handle("a1"), one), revoked(actor("ada"), other)];
        assert_eq!(text(&full(&changes, &grants)), expected);
    }
}

#[test]
fn what_is_restored_by_one_and_not_the_other_stays_revoked() {
    let grants = grants(&[("ada", "a1"), ("ada", "a2")]);
    let restored = |target| [Change::Restored { target }];
    let incremental =
        |changes: &[Change], left: &[Revocation]| text(&incremental(changes, left, &grants));
    let both = [in_force(handle("a1"), None), in_force(actor("ada"), Some(9))];
    assert_eq!(incremental(&restored(actor("ada")), &both[..1]), "a1+ a2-");
    assert_eq!(incremental(&restored(handle("a1")), &both[1..]), "a1+9");
    assert_eq!(incremental(&restored(handle("a1")), &[]), "a1-");
    assert_eq!(incremental(&[revoked(actor("ada"), Some(9))], &both), "a1+ a2+9");
    assert_eq!(incremental(&restored(Target::Lease("l".into())), &[]), "l-");
    assert_eq!(incremental(&[Change::KillSwitch { on: true }], &both), "");
}
