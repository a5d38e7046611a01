use super::*;
use crate::Restriction;
use async_trait::async_trait;
use custody_base::actor::Actor;
use custody_base::credential::Credential;
use lease::Secret;
use proptest::prelude::*;
use std::sync::Mutex;

const NOW: UnixSeconds = 1_000_000;

/// The behaviour of a backend.
#[derive(Clone, Debug)]
enum Act {
    Gives { expires_at: Option<UnixSeconds>, kind: CredentialType },
    Denies,
    Fails,
    Panics,
    Hangs,
}

struct Scripted {
    name: String,
    capable: Option<bool>,
    act: Act,
    asked: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl CredentialBackend for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_capable(&self, _: &CredentialRequest<'_>) -> bool {
        self.capable.expect("a backend that panics over the question")
    }

    async fn resolve(&self, _: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        self.asked.lock().unwrap().push("resolve");
        match &self.act {
            Act::Gives { expires_at, kind } => Ok(Resolved {
                credential: match kind {
                    CredentialType::Bearer => Credential::Bearer { token: Secret::new("t") },
                    _ => Credential::Opaque { bytes: Secret::new("o") },
                },
                target: None,
                scope: Vec::new(),
                expires_at: *expires_at,
                revocation: Some("lease".into()),
                made_from: Vec::new(),
            }),
            Act::Denies => Err(BackendFault::Denied("no".into())),
            Act::Fails => Err(BackendFault::Down("no".into())),
            Act::Panics => panic!("scripted"),
            Act::Hangs => std::future::pending().await,
        }
    }

    async fn revoke(&self, _: &str) {
        self.asked.lock().unwrap().push("revoke");
        match self.act {
            Act::Panics => panic!("scripted"),
            Act::Hangs => std::future::pending().await,
            _ => {}
        }
    }
}

fn scripted(name: &str, capable: Option<bool>, act: Act) -> Arc<Scripted> {
    Arc::new(Scripted { name: name.into(), capable, act, asked: Mutex::default() })
}

fn gives(expires_at: Option<UnixSeconds>) -> Act {
    Act::Gives { expires_at, kind: CredentialType::Bearer }
}

fn resolver(registered: &[Arc<Scripted>], sources: Option<(usize, Option<usize>)>) -> Resolver {
    let of = |at: usize| Arc::clone(&registered[at]) as Arc<dyn CredentialBackend>;
    let sources = sources.map(|(primary, backup)| {
        let sources = Sources { primary: of(primary), backup: backup.map(of) };
        ("h".parse().unwrap(), sources)
    });
    let registered = (0..registered.len()).map(of).collect();
    Resolver::new(registered, sources.into_iter().collect()).by(Arc::new(|| NOW))
}

async fn ask(
    resolver: &Resolver,
    kind: Option<CredentialType>,
    until: UnixSeconds,
    budget: &dyn AttemptBudget,
) -> Result<Answered, Unresolved> {
    let (actor, handle): (Actor, Handle) = ("a".parse().unwrap(), "h".parse().unwrap());
    let restriction = Restriction::default();
    let asked =
        CredentialRequest { kind, ..CredentialRequest::of(&actor, &handle, &restriction, until) };
    resolver.resolve(&asked, budget).await
}

async fn outcome(resolver: &Resolver) -> Result<Answered, Unresolved> {
    ask(resolver, None, NOW + 300, &InMemory::default()).await
}

fn asked(backend: &Scripted) -> usize {
    backend.asked.lock().unwrap().iter().filter(|what| **what == "resolve").count()
}

#[tokio::test(start_paused = true)]
async fn nothing_falls_through_to_another_registered_backend() {
    for act in [Act::Denies, Act::Fails, Act::Panics, Act::Hangs, gives(Some(NOW))] {
        let backends = [
            scripted("not-capable", Some(false), gives(None)),
            scripted("first", Some(true), act.clone()),
            scripted("second", Some(true), gives(None)),
        ];
        let unresolved = outcome(&resolver(&backends, None)).await.err().unwrap();
        assert_eq!(unresolved.end, End::Failed, "{act:?}");
        assert_eq!(unresolved.failures.len(), 1);
        assert_eq!(unresolved.failures[0].backend, "first");
        assert_eq!(backends.each_ref().map(|backend| asked(backend)), [0, 1, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_tried_whatever_the_primary_did() {
    for (act, code) in [
        (Act::Denies, "backend_denied"),
        (Act::Fails, "backend_down"),
        (Act::Panics, "backend_down"),
        (Act::Hangs, "backend_down"),
        (gives(Some(NOW)), "credential_unfit"),
        (Act::Gives { expires_at: None, kind: CredentialType::Opaque }, "credential_unfit"),
    ] {
        let backends =
            [scripted("p", Some(true), act.clone()), scripted("b", Some(true), gives(None))];
        let answered = outcome(&resolver(&backends, Some((0, Some(1))))).await.ok().unwrap();
        assert_eq!(answered.backend, "b");
        let failed: Vec<_> = answered.failures.iter().map(|f| f.fault.code()).collect();
        assert_eq!(failed, [code], "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_primary_leaves_the_backup_time() {
    let backends = [scripted("p", Some(true), Act::Hangs), scripted("b", Some(true), gives(None))];
    let begun = tokio::time::Instant::now();
    assert!(outcome(&resolver(&backends, Some((0, Some(1))))).await.is_ok());
    assert_eq!(begun.elapsed(), PRIMARY_LIMIT);
}

#[tokio::test]
async fn no_capable_backend_is_said_by_type() {
    let backends = [scripted("a", Some(false), gives(None))];
    for sources in [None, Some((0, None)), Some((0, Some(0)))] {
        let resolver = resolver(&backends, sources);
        let kind = Some(CredentialType::KerberosTicket);
        let budget = InMemory::default();
        let unresolved = ask(&resolver, kind, NOW + 300, &budget).await.err().unwrap();
        assert_eq!(unresolved.end, End::NoBackendAvailable(kind));
        assert!(unresolved.end.to_string().contains("kerberos_ticket"));
        assert_eq!(budget.spend().await, Ok(Attempt::Counted(1)), "nothing was attempted");
    }
}

#[tokio::test]
async fn a_backend_that_panics_over_the_question_has_failed() {
    let backends = [scripted("p", None, gives(None)), scripted("b", Some(true), gives(None))];
    let unresolved = outcome(&resolver(&backends, None)).await.err().unwrap();
    assert_eq!((unresolved.end, unresolved.failures.len()), (End::Failed, 1));
    assert_eq!(asked(&backends[1]), 0);
    assert!(outcome(&resolver(&backends, Some((0, Some(1))))).await.is_ok());
}

#[tokio::test]
async fn three_attempts_and_no_fourth() {
    let backends = [scripted("p", Some(true), Act::Fails), scripted("b", Some(true), Act::Fails)];
    let (resolver, budget) = (resolver(&backends, Some((0, Some(1)))), InMemory::default());
    let mut ends = Vec::new();
    for _ in 0..3 {
        ends.push(ask(&resolver, None, NOW + 300, &budget).await.err().unwrap().end);
    }
    assert_eq!(ends, [End::Failed, End::Exhausted, End::Exhausted]);
    assert_eq!(backends.each_ref().map(|backend| asked(backend)), [2, 1]);
}

#[tokio::test]
async fn an_attempt_that_is_not_counted_is_not_made() {
    struct Refuses(Result<Attempt, LedgerFault>);
    #[async_trait]
    impl AttemptBudget for Refuses {
        async fn spend(&self) -> Result<Attempt, LedgerFault> {
            self.0.clone()
        }
    }
    let down = LedgerFault::Down("disk full".into());
    for (answer, end) in [
        (Ok(Attempt::Exhausted), End::Exhausted),
        (Ok(Attempt::Lost), End::Lost),
        (Err(down.clone()), End::Ledger(down)),
    ] {
        let backends = [scripted("p", Some(true), gives(None))];
        let resolver = resolver(&backends, Some((0, None)));
        let unresolved = ask(&resolver, None, NOW + 300, &Refuses(answer)).await.err().unwrap();
        assert_eq!(unresolved.end, end);
        assert_eq!(asked(&backends[0]), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_to_be_used_is_revoked_and_a_revocation_never_raises() {
    let backends = [scripted("p", Some(true), gives(Some(NOW - 1)))];
    assert!(outcome(&resolver(&backends, None)).await.is_err());
    tokio::task::yield_now().await;
    assert_eq!(*backends[0].asked.lock().unwrap(), ["resolve", "revoke"]);
    for act in [Act::Panics, Act::Hangs, Act::Denies] {
        let backends = [scripted("p", Some(true), act)];
        resolver(&backends, None).revoke("p", "lease").await;
        resolver(&backends, None).revoke("gone", "lease").await;
        assert_eq!(*backends[0].asked.lock().unwrap(), ["revoke"]);
    }
}

fn act() -> impl Strategy<Value = Act> {
    let around = NOW.saturating_sub(2000)..NOW + 4000;
    let extreme = prop_oneof![Just(0), Just(u64::MAX), around];
    let kind = prop_oneof![Just(CredentialType::Bearer), Just(CredentialType::Opaque)];
    prop_oneof![
        4 => (prop::option::of(extreme), kind)
            .prop_map(|(expires_at, kind)| Act::Gives { expires_at, kind }),
        1 => Just(Act::Denies),
        1 => Just(Act::Fails),
        1 => Just(Act::Panics),
        1 => Just(Act::Hangs),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// For any behaviour of the backends: a life within its bounds, a requested type, no attempt beyond
    /// the budget, and no backend out of turn.
    #[test]
    fn no_backend_gets_around_the_rules(
        backends in prop::collection::vec((prop::option::weighted(0.9, any::<bool>()), act()), 1..4),
        backup in any::<Option<bool>>(),
        kind in prop::option::of(Just(CredentialType::Opaque)),
        until in NOW - 10..NOW + 3000,
        spent in 0u32..5,
    ) {
        let backends: Vec<_> = backends.into_iter().enumerate()
            .map(|(at, (capable, act))| scripted(&at.to_string(), capable, act)).collect();
        let last = backends.len() - 1;
        let resolver = resolver(&backends, backup.map(|backup| (0, backup.then_some(last))));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time().start_paused(true).build().unwrap();
        let budget = InMemory::after(spent);
        let outcome = runtime.block_on(ask(&resolver, kind, until, &budget));

        let attempts: usize = backends.iter().map(|backend| asked(backend)).sum();
        prop_assert!(attempts <= MOST_ATTEMPTS.saturating_sub(spent) as usize);
        prop_assert!(attempts <= 1 + usize::from(backup.is_some()));
        prop_assert!(backends.iter().all(|b| b.capable == Some(true) || asked(b) == 0));
        if backup.is_none() {
            let first = backends.iter().position(|backend| backend.capable == Some(true));
            let tried = backends.iter().position(|backend| asked(backend) > 0);
            prop_assert!(tried.is_none() || tried == first);
        }
        if let Ok(answered) = outcome {
            prop_assert!(NOW < answered.expires_at && answered.expires_at <= until);
            prop_assert!(answered.expires_at <= NOW + LEASE_CEILING);
            prop_assert!(answered.resolved.expires_at.is_none_or(|end| answered.expires_at <= end));
            let given = answered.resolved.credential.kind();
            prop_assert!(kind.map_or(given.is_headers(), |kind| kind == given));
        }
    }
}
