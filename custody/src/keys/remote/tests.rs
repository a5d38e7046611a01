use super::*;
use crate::keys::{Keys, KeysOfIssuer, SessionKeys};
use async_trait::async_trait;
use serde_json::json;
use session::Algorithm;
use session::mint::SigningKey;
use std::sync::Mutex;
use tokio::time::{advance, sleep};

const NOW: UnixSeconds = 1_700_000_000;
const SCHEDULE: Schedule =
    Schedule { refresh: Duration::from_secs(300), keep: Duration::from_secs(3600) };

/// An issuer whose answer can be changed.
#[derive(Clone)]
struct Issuer(Arc<Mutex<State>>);

struct State {
    answer: Result<Vec<u8>, String>,
    fetches: usize,
}

#[async_trait]
impl KeySource for Issuer {
    async fn fetch(&self) -> Result<Vec<u8>, String> {
        sleep(Duration::from_millis(50)).await;
        let mut state = self.0.lock().unwrap();
        state.fetches += 1;
        state.answer.clone()
    }
}

impl Issuer {
    fn with(keys: &[&SigningKey]) -> Self {
        let issuer = Self(Arc::new(Mutex::new(State { answer: Ok(Vec::new()), fetches: 0 })));
        issuer.publish(keys);
        issuer
    }

    fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public_jwk()).collect();
        self.0.lock().unwrap().answer = Ok(json!({ "keys": keys }).to_string().into());
    }

    fn publish_text(&self, text: &str) {
        self.0.lock().unwrap().answer = Ok(text.into());
    }

    fn fail(&self) {
        self.0.lock().unwrap().answer = Err("down".into());
    }

    fn fetches(&self) -> usize {
        self.0.lock().unwrap().fetches
    }

    async fn start(&self) -> SessionKeys {
        let rules = Rules::new("i", "a");
        let remote = Remote::start(rules.clone(), self.clone(), SCHEDULE, Arc::default()).await;
        SessionKeys(vec![KeysOfIssuer { rules, keys: Keys::Remote(remote) }])
    }
}

fn key(kid: &str) -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, Some(kid)).unwrap()
}

fn token(key: &SigningKey) -> String {
    token_of(key, "i")
}

fn token_of(key: &SigningKey, issuer: &str) -> String {
    let claims = json!({"iss": issuer, "aud": "a", "sub": "s", "jti": "j", "iat": NOW,
        "exp": NOW + 60});
    key.sign(&claims).unwrap()
}

async fn code(remote: &SessionKeys, key: &SigningKey) -> &'static str {
    refusal(remote.verify(token(key).as_bytes(), NOW).await)
}

fn refusal(outcome: Result<Arc<Session>, VerifyFault>) -> &'static str {
    outcome.err().map_or("fine", |refusal| refusal.code())
}

/// What is logged on this thread meanwhile.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false);
        tracing::subscriber::set_default(subscriber.with_writer(move || log.clone()).finish())
    }

    fn count(&self, part: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(part).count()
    }
}

const UNKNOWN: &str = "session_unknown_key";
const NO_KEYS: &str = "session_keys_unavailable";

#[tokio::test(start_paused = true)]
async fn keys_that_change_are_seen_without_a_restart() {
    let (old, new) = (key("old"), key("new"));
    let issuer = Issuer::with(&[&old]);
    let remote = issuer.start().await;
    assert_eq!(code(&remote, &old).await, "fine");
    // The issuer's overlap: both are there. Then the old one is gone, and so it is here.
    issuer.publish(&[&old, &new]);
    sleep(SCHEDULE.refresh * 2).await;
    assert_eq!([code(&remote, &old).await, code(&remote, &new).await], ["fine", "fine"]);
    issuer.publish(&[&new]);
    sleep(SCHEDULE.refresh * 2).await;
    assert_eq!(code(&remote, &old).await, UNKNOWN);
    assert_eq!(code(&remote, &new).await, "fine");
    // Another key under the same name.
    let other = key("new");
    issuer.publish(&[&other]);
    sleep(SCHEDULE.refresh * 2).await;
    assert_eq!(code(&remote, &new).await, "session_signature");
    assert_eq!(code(&remote, &other).await, "fine");
}

/// Cold and warm: two keys of one `kid` and one algorithm spoil nobody else, and the log says why.
#[tokio::test(start_paused = true)]
async fn doubtful_keys_are_left_out_and_the_others_are_used() {
    let (log, known, rival, other) = (Log::default(), key("known"), key("known"), key("other"));
    let _listening = log.listen();
    let es256 = SigningKey::generate(Algorithm::Es256, Some("other")).unwrap();
    let issuer = Issuer::with(&[&known, &rival, &other, &es256]);
    let cold = issuer.start().await;
    issuer.publish(&[&known]);
    let warm = issuer.start().await;
    assert_eq!(code(&warm, &known).await, "fine");
    issuer.publish(&[&known, &rival, &other, &es256]);
    sleep(SCHEDULE.refresh * 2).await;
    for remote in [&cold, &warm] {
        assert_eq!([code(remote, &known).await, code(remote, &rival).await], [UNKNOWN; 2]);
        assert_eq!([code(remote, &other).await, code(remote, &es256).await], ["fine"; 2]);
    }
    assert!(log.count("is another EdDSA key of the kid") > 0);
    assert_eq!(log.count("WARN"), 2, "once each, not at every refresh");
}

#[tokio::test(start_paused = true)]
async fn an_unusable_member_spoils_no_other_key() {
    let (known, gone) = (key("known"), key("gone"));
    let issuer = Issuer::with(&[&known, &gone]);
    let remote = issuer.start().await;
    let known_jwk = known.public_jwk();
    for bad in ["null", "{}", r#"{"kid": "known", "kid": "x"}"#, "1e999", r#"{"kty": "oct"}"#] {
        issuer.publish_text(&format!(r#"{{"keys": [{bad}, {known_jwk}]}}"#));
        sleep(SCHEDULE.refresh * 2).await;
        assert_eq!(code(&remote, &known).await, "fine", "{bad}");
        assert_eq!(code(&remote, &gone).await, UNKNOWN, "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kid_asks_once_and_not_again_for_a_while() {
    let (old, new) = (key("old"), key("new"));
    let issuer = Issuer::with(&[&old]);
    let remote = issuer.start().await;
    sleep(UNKNOWN_KID_PAUSE).await;
    issuer.publish(&[&old, &new]);
    // A hundred at once wait for one fetch.
    let all = futures_util::future::join_all((0..100).map(|_| code(&remote, &new))).await;
    assert!(all.iter().all(|code| *code == "fine"), "{all:?}");
    assert_eq!(issuer.fetches(), 2);
    // A flood of invented names is one fetch a pause.
    for at in 0..100 {
        assert_eq!(code(&remote, &key(&at.to_string())).await, UNKNOWN);
        advance(Duration::from_millis(300)).await;
    }
    assert!((4..=5).contains(&issuer.fetches()), "{}", issuer.fetches());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_our_issuers_asks_for_nothing() {
    let known = key("known");
    let issuer = Issuer::with(&[&known]);
    let remote = issuer.start().await;
    sleep(UNKNOWN_KID_PAUSE).await;
    let nameless = json!({"alg": "EdDSA", "typ": "JWT"});
    let claims = json!({"iss": "i"});
    let nameless = known.sign_with_header(&nameless, &claims).unwrap();
    for token in [token_of(&key("x"), "another"), nameless, "a.b.c".into(), "".into()] {
        assert!(remote.verify(token.as_bytes(), NOW).await.is_err());
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_good_set_stays_for_its_time() {
    let known = key("known");
    let issuer = Issuer::with(&[&known]);
    let remote = issuer.start().await;
    for broken in ["down", "garbage", "empty"] {
        match broken {
            "down" => issuer.fail(),
            "garbage" => issuer.0.lock().unwrap().answer = Ok(b"<html>".to_vec()),
            _ => issuer.publish(&[]),
        }
        sleep(Duration::from_secs(900)).await;
        assert_eq!(code(&remote, &known).await, "fine", "{broken}");
    }
    // An hour after the last that was good.
    sleep(Duration::from_secs(900)).await;
    assert_eq!(code(&remote, &known).await, NO_KEYS);
    // It never stops trying, at its own pace.
    let before = issuer.fetches();
    issuer.publish(&[&known]);
    sleep(BACK_OFF.1 * 2).await;
    assert_eq!(code(&remote, &known).await, "fine");
    assert!(before < 100, "{before}");
}

#[tokio::test(start_paused = true)]
async fn a_start_without_the_issuer() {
    let known = key("known");
    let issuer = Issuer::with(&[&known]);
    issuer.fail();
    let remote = issuer.start().await;
    assert_eq!(code(&remote, &known).await, NO_KEYS);
    issuer.publish(&[&known]);
    sleep(BACK_OFF.0 * 2).await;
    assert_eq!(code(&remote, &known).await, "fine");
}

#[tokio::test(start_paused = true)]
async fn nobody_fetches_for_a_value_that_is_gone() {
    let issuer = Issuer::with(&[&key("known")]);
    drop(issuer.start().await);
    sleep(SCHEDULE.refresh * 10).await;
    assert_eq!(issuer.fetches(), 1);
}
