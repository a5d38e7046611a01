use super::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

const NOW: UnixSeconds = 1_000_000;
static OWNER: LazyLock<Owner> = LazyLock::new(|| owner_of("a"));
static KEY: LazyLock<TokenKey> = LazyLock::new(|| (OWNER.clone(), [1; 32]));

fn owner_of(actor: &str) -> Owner {
    owner(&actor.parse().unwrap(), &"h".parse().unwrap())
}

/// An issuer that counts, and answers on demand.
#[derive(Clone)]
struct Issuer {
    asked: Arc<AtomicUsize>,
    may: Arc<Semaphore>,
}

impl Issuer {
    fn new(answers: usize) -> Self {
        Self { asked: Arc::default(), may: Arc::new(Semaphore::new(answers)) }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn mint(self, now: UnixSeconds, life: u64) -> Result<Token, BackendFault> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.may.acquire().await.unwrap().forget();
        let secret = Secret::new(format!("token-{number}"));
        let (scope, minted_from, ended) = Default::default();
        let expires_at = now + life;
        Ok(Token { secret, scope, minted_at: now, expires_at, minted_from, ended })
    }

    async fn fail(self) -> Result<Token, BackendFault> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.may.acquire().await.unwrap().forget();
        Err(BackendFault::Denied("no".into()))
    }
}

fn text(outcome: Outcome) -> String {
    String::from_utf8(outcome.ok().unwrap().secret.expose().to_vec()).unwrap()
}

async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_ask_and_one_asks() {
    let (tokens, issuer) = (Tokens::default(), Issuer::new(0));
    let asks = futures_util::future::join_all(
        (0..1000).map(|_| tokens.get(KEY.clone(), NOW, || issuer.clone().mint(NOW, 3600))),
    );
    let may = Arc::clone(&issuer.may);
    tokio::spawn(async move {
        settle().await;
        may.add_permits(1000);
    });
    for outcome in asks.await {
        assert_eq!(text(outcome), "token-1");
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_share_a_failure_which_is_then_forgotten() {
    let (tokens, issuer) = (Tokens::default(), Issuer::new(1));
    let asks = futures_util::future::join_all(
        (0..1000).map(|_| tokens.get(KEY.clone(), NOW, || issuer.clone().fail())),
    );
    for outcome in asks.await {
        assert_eq!(outcome.err(), Some(BackendFault::Denied("no".into())));
    }
    assert_eq!(issuer.asked(), 1);
    // Within the pause the same answer, without asking.
    assert!(tokens.get(KEY.clone(), NOW, || issuer.clone().fail()).await.is_err());
    assert_eq!(issuer.asked(), 1);
    tokio::time::advance(PAUSE).await;
    issuer.may.add_permits(1);
    assert_eq!(
        text(tokens.get(KEY.clone(), NOW, || issuer.clone().mint(NOW, 60)).await),
        "token-2"
    );
}

#[tokio::test(start_paused = true)]
async fn old_tokens_are_renewed_beside_and_stale_ones_before() {
    let (tokens, issuer) = (Tokens::default(), Issuer::new(1));
    let get = |at: u64| {
        let issuer = issuer.clone();
        tokens.get(KEY.clone(), NOW + at, move || issuer.mint(NOW + at, 1000))
    };
    assert_eq!(text(get(0).await), "token-1");
    assert_eq!(text(get(599).await), "token-1");
    assert_eq!(issuer.asked(), 1);
    // From here on it is being renewed; who asks meanwhile has the old one without waiting.
    assert_eq!(text(get(750).await), "token-1");
    assert_eq!(text(get(969).await), "token-1");
    settle().await;
    assert_eq!(issuer.asked(), 2);
    // Too little left to be handed out: this one waits.
    let waits = get(970);
    issuer.may.add_permits(1);
    assert_eq!(text(waits.await), "token-2");
    assert_eq!(text(get(971).await), "token-2");
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_leaves_the_old_one() {
    let (tokens, issuer) = (Tokens::default(), Issuer::new(100));
    let first = tokens.get(KEY.clone(), NOW, || issuer.clone().mint(NOW, 1000)).await;
    assert_eq!(text(first), "token-1");
    for _ in 0..20 {
        let outcome = tokens.get(KEY.clone(), NOW + 800, || issuer.clone().fail()).await;
        assert_eq!(text(outcome), "token-1");
        settle().await;
    }
    // Twenty asked, and the issuer was asked once within the pause.
    assert_eq!(issuer.asked(), 2);
    let late = tokens.get(KEY.clone(), NOW + 999, || issuer.clone().fail()).await;
    assert!(late.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_goes_away_does_not_stop_the_flight() {
    let (tokens, issuer) = (Tokens::default(), Issuer::new(0));
    let ask = tokens.get(KEY.clone(), NOW, || issuer.clone().mint(NOW, 1000));
    assert!(ask.now_or_never().is_none());
    issuer.may.add_permits(1);
    settle().await;
    let again = tokens.get(KEY.clone(), NOW, || issuer.clone().mint(NOW, 1000));
    assert_eq!(text(again.now_or_never().unwrap()), "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_flight() {
    let tokens = Tokens::default();
    let broken = tokens.get(KEY.clone(), NOW, || async { panic!("a bug") });
    assert_eq!(broken.await.err(), Some(panicked()));
    tokio::time::advance(PAUSE).await;
    let issuer = Issuer::new(1);
    assert_eq!(
        text(tokens.get(KEY.clone(), NOW, || issuer.clone().mint(NOW, 60)).await),
        "token-1"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_makes_room_is_pushed_out_when_no_lease_holds_it() {
    let (tokens, issuer) = (Tokens::default(), Issuer::new(usize::MAX >> 4));
    let key = |number: usize| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_le_bytes());
        (OWNER.clone(), key)
    };
    let get = async |number, at| {
        tokens.get(key(number), NOW + at, || issuer.clone().mint(NOW + at, 36_000)).await
    };
    for number in 0..CAPACITY {
        assert!(get(number, 0).await.is_ok());
    }
    assert!(get(7, 1).await.is_ok(), "it is kept");
    let full = get(CAPACITY, LEASE_CEILING - 1).await;
    assert!(matches!(full, Err(BackendFault::Down(_))));
    assert_eq!((tokens.take_pushed_out().len(), tokens.shelf().slots.len()), (0, CAPACITY));
    for number in 0..10 {
        assert!(get(CAPACITY + number, LEASE_CEILING).await.is_ok());
    }
    let pushed_out = tokens.take_pushed_out();
    assert_eq!((pushed_out.len(), tokens.shelf().slots.len()), (10, CAPACITY));
    assert!(pushed_out.iter().all(|(owner, _)| *owner == *OWNER));
    assert!(tokens.take(&key(7)).is_some(), "it was handed out last");
    // Old ones that nobody would get any more stay until their ends, and go then.
    assert_eq!(tokens.all(NOW + 35_999).len(), CAPACITY - 1);
    assert_eq!(tokens.all(NOW + 36_000).len(), 10);
    assert_eq!((tokens.take_pushed_out().len(), tokens.shelf().slots.len()), (0, 10));
}

#[tokio::test(start_paused = true)]
async fn what_an_upstream_refused_is_minted_anew_but_not_all_the_time() {
    let (tokens, issuer) = (Tokens::default(), Issuer::new(100));
    let other = (owner_of("b"), [1; 32]);
    let get = async |key: &TokenKey, at| {
        text(tokens.get(key.clone(), NOW + at, || issuer.clone().mint(NOW + at, 3600)).await)
    };
    assert_eq!((get(&KEY, 0).await, get(&other, 0).await), ("token-1".into(), "token-2".into()));
    tokens.forget(&OWNER, NOW + 9);
    assert_eq!(get(&KEY, 9).await, "token-1", "it is young");
    tokens.forget(&OWNER, NOW + 10);
    assert_eq!(get(&KEY, 10).await, "token-3");
    tokens.forget(&OWNER, NOW + 12);
    assert_eq!((get(&KEY, 12).await, get(&other, 12).await), ("token-3".into(), "token-2".into()));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_replaced_or_refused_ends_with_the_others() {
    let (tokens, issuer) = (Tokens::default(), Issuer::new(100));
    let get = async |at| {
        text(tokens.get(KEY.clone(), NOW + at, || issuer.clone().mint(NOW + at, 3600)).await)
    };
    assert_eq!(get(0).await, "token-1");
    tokens.forget(&OWNER, NOW + 10);
    assert_eq!(get(10).await, "token-2");
    tokens.forget(&OWNER, NOW + 20);
    assert_eq!(get(20).await, "token-3");
    let names = |now| {
        let all = tokens.all(now);
        all.iter().map(|(_, token)| text(Ok(Arc::clone(token)))).collect::<BTreeSet<_>>()
    };
    let three = ["token-1", "token-2", "token-3"].map(str::to_owned);
    assert_eq!(names(NOW + 20), BTreeSet::from(three));
    assert_eq!(names(NOW + 3600).len(), 2, "the first has come to its end");
    tokens.end(|_| true);
    for (key, token) in tokens.all(NOW + 20) {
        assert!(token.ended.load(Ordering::Acquire));
        assert!(tokens.remove(&key, &token));
        assert!(!tokens.remove(&key, &token), "once");
    }
    assert_eq!(names(NOW + 20), BTreeSet::new());
    // Upstreams that refuse each token fill no memory.
    for round in 0..20 {
        tokens.forget(&OWNER, NOW + 100 + 20 * round);
        get(100 + 20 * round).await;
    }
    assert_eq!(names(NOW + 600).len(), MOST_ASIDE + 1);
    // Their issuer hears of the others.
    assert_eq!(tokens.take_pushed_out().len(), 20 - MOST_ASIDE - 1);
}
