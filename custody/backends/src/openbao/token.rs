//! The token custody has at OpenBao: got by a login, renewed ahead of its end, replaced when it is
//! dead. One login at a time, and at most one a second.

use super::answer::{Auth, LoggedIn, LookedUp};
use super::api::{Api, NOTHING, allowed, down, judged};
use super::denials::{Denials, policy_line};
use super::login_files::{LoginFiles, text_of};
use super::settings::OpenBaoAuth;
use crate::BackendFault;
use custody_base::files::Stamp;
use custody_base::outbound::{Method, StatusCode};
use lease::Secret;
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep_until};

/// The time between two logins, at least; a request waits for it.
const PAUSE: Duration = Duration::from_secs(1);
/// A login that OpenBao refused is repeated after twice as long each time, up to this.
const PAUSE_MAX: Duration = Duration::from_secs(16);
/// A token of at most this age was alive when it was refused: the path is denied.
const NEW: Duration = Duration::from_secs(30);
const LOOK_UP: &str = "auth/token/lookup-self";
const RENEW: &str = "auth/token/renew-self";

/// One token.
pub(super) struct Token {
    pub value: Secret,
    /// `None`: it does not end.
    pub ends: Option<Instant>,
    /// When the keeper sees to it.
    due: Option<Instant>,
    renewable: bool,
    /// Its life when it was new, or first seen.
    life: Duration,
    /// When custody got it.
    since: Instant,
    /// The state of the file it was read from.
    file: Option<Stamp>,
}

pub(super) struct Tokens {
    api: Arc<Api>,
    auth: OpenBaoAuth,
    files: LoginFiles,
    current: RwLock<Option<Arc<Token>>>,
    /// Held over a login, so that those who come meanwhile wait for that one.
    login: Mutex<Pace>,
    changed: Arc<Notify>,
    pub denials: Denials,
}

/// When the next login may be.
struct Pace {
    next: Instant,
    /// After a login that OpenBao refused.
    pause: Duration,
    /// Of the last login, if it failed.
    fault: Option<BackendFault>,
}

/// The consequence of a 403.
pub(super) enum Refusal {
    /// The token may have been dead. This one is newer.
    Replaced(Arc<Token>),
    /// The denial is final, with the hint for the operator.
    Stands(String),
}

#[derive(Serialize)]
struct AppRoleLogin<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Serialize)]
struct JwtLogin<'a> {
    role: &'a str,
    jwt: &'a str,
}

// === impl Tokens ===

impl Tokens {
    pub(super) fn start(api: Arc<Api>, auth: OpenBaoAuth) -> Arc<Self> {
        let (current, changed, denials) = (RwLock::default(), Arc::default(), Denials::default());
        let login = Mutex::new(Pace { next: Instant::now(), pause: PAUSE, fault: None });
        let files = LoginFiles::default();
        let tokens = Arc::new(Self { api, auth, files, current, login, changed, denials });
        tokio::spawn(keep(Arc::downgrade(&tokens)));
        tokens
    }

    /// The token; logs in without one.
    pub(super) async fn current(&self) -> Result<Arc<Token>, BackendFault> {
        match self.usable() {
            Some(token) => Ok(token),
            None => self.log_in(None).await,
        }
    }

    /// The meaning of a 403 at `path` for this token. Custody logs in again only if the token cannot be
    /// looked up and the path is not recorded as denied.
    pub(super) async fn judge(
        &self,
        token: &Arc<Token>,
        path: &str,
    ) -> Result<Refusal, BackendFault> {
        if let Some(newer) = self.usable().filter(|newer| !Arc::ptr_eq(newer, token)) {
            return Ok(Refusal::Replaced(newer));
        }
        if self.denials.has(path) || self.can_look_up(token).await? {
            return Ok(Refusal::Stands(String::new()));
        }
        if let OpenBaoAuth::TokenFile { path: file, .. } = &self.auth {
            return Ok(Refusal::Stands(format!(
                "; or the token in {} is dead. Custody can tell with: {}",
                file.display(),
                policy_line(&Method::GET, LOOK_UP)
            )));
        }
        self.log_in(Some(token)).await.map(Refusal::Replaced)
    }

    /// Records that this token was refused at `path` after an older one. If it is new, the policy
    /// denies the path.
    pub(super) fn note_denial(&self, token: &Token, path: &str) {
        if token.since.elapsed() > NEW {
            return;
        }
        if let Some(holds) = self.denials.add(path) {
            tracing::warn!(
                path,
                seconds = holds.as_secs(),
                "OpenBao denies this path to a new token too, so a policy does; custody does not \
                 log in for this path again before these seconds are over. Custody distinguishes \
                 a denial from a dead token without a login if its policy has: {}",
                policy_line(&Method::GET, LOOK_UP)
            );
        }
    }

    /// `true`: the token is alive. `false` is not a verdict: it may be dead, or lack a policy for it.
    async fn can_look_up(&self, token: &Token) -> Result<bool, BackendFault> {
        let answer = self.api.send(Some(&token.value), Method::GET, LOOK_UP, &[], NOTHING).await?;
        match answer.status {
            StatusCode::FORBIDDEN => Ok(false),
            _ => judged(answer, LOOK_UP).map(|_| true),
        }
    }

    fn usable(&self) -> Option<Arc<Token>> {
        let token = self.current.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let fresh = token.ends.is_none_or(|ends| Instant::now() < ends);
        let same = match &self.auth {
            OpenBaoAuth::TokenFile { path, .. } => token.file == Some(Stamp::of([path.as_path()])),
            _ => true,
        };
        (fresh && same).then_some(token)
    }

    /// `old`: the token that shall not be used again.
    async fn log_in(&self, old: Option<&Arc<Token>>) -> Result<Arc<Token>, BackendFault> {
        let mut pace = self.login.lock().await;
        // Somebody may have done it while we waited.
        if let Some(token) = self.usable()
            && old.is_none_or(|old| !Arc::ptr_eq(&token, old))
        {
            return Ok(token);
        }
        if let Some(fault) = pace.fault.as_ref().filter(|_| Instant::now() < pace.next) {
            tracing::debug!("the last login failed; not tried again yet");
            return Err(fault.clone());
        }
        sleep_until(pace.next).await;
        // Before the login: also one that nobody waits for to its end counts.
        if !matches!(self.auth, OpenBaoAuth::TokenFile { .. }) {
            pace.next = Instant::now() + PAUSE;
        }
        match self.fresh().await {
            Ok(token) => {
                (pace.pause, pace.fault) = (PAUSE, None);
                Ok(self.replace(token))
            }
            Err(fault) => {
                // A server that is down is not hurt by another try.
                pace.pause = match fault {
                    BackendFault::Denied(_) => pace.pause,
                    _ => PAUSE,
                };
                pace.next = Instant::now() + pace.pause;
                pace.pause = (pace.pause * 2).min(PAUSE_MAX);
                pace.fault = Some(fault.clone());
                Err(fault)
            }
        }
    }

    fn replace(&self, token: Token) -> Arc<Token> {
        let token = Arc::new(token);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::clone(&token));
        drop(current);
        self.changed.notify_one();
        token
    }

    async fn fresh(&self) -> Result<Token, BackendFault> {
        match &self.auth {
            OpenBaoAuth::AppRole { mount, role_id_file, secret_id_file, is_wrapped } => {
                let role_id = text_of(role_id_file)?;
                let secret_id = self.files.read(&self.api, secret_id_file, *is_wrapped).await?;
                let body = AppRoleLogin { role_id: of(&role_id)?, secret_id: of(&secret_id)? };
                self.present(&format!("auth/{mount}/login"), &body).await
            }
            OpenBaoAuth::Jwt { mount, role, jwt_file } => {
                let jwt = text_of(jwt_file)?;
                let body = JwtLogin { role, jwt: of(&jwt)? };
                self.present(&format!("auth/{mount}/login"), &body).await
            }
            OpenBaoAuth::TokenFile { path, is_wrapped } => self.read(path, *is_wrapped).await,
        }
    }

    async fn present(&self, path: &str, body: &impl Serialize) -> Result<Token, BackendFault> {
        let asked = Instant::now();
        let answer = self.api.send(None, Method::POST, path, &[], Some(body)).await?;
        let answer = judged(answer, path)?;
        let LoggedIn { auth } = answer.json().map_err(|fault| down(path, &fault))?;
        tracing::info!(path, seconds = auth.lease_duration, "logged in at OpenBao");
        Ok(Token::of(auth, asked))
    }

    /// The token in the file, and how long it has to live.
    async fn read(&self, path: &Path, is_wrapped: bool) -> Result<Token, BackendFault> {
        // The state first: a file that changes in between is read once too often.
        let file = Some(Stamp::of([path]));
        let asked = Instant::now();
        let value = self.files.read(&self.api, path, is_wrapped).await?;
        let mut token = Token::new(value, asked);
        token.file = file;
        let answer = self.api.send(Some(&token.value), Method::GET, LOOK_UP, &[], NOTHING).await?;
        if answer.status == StatusCode::FORBIDDEN {
            // Its first call shows which it is.
            tracing::warn!(file = %path.display(),
                "the token in this file cannot be looked up: it is dead, or no policy allows it. \
                 Custody uses it without an end. Fix: the policy {}",
                policy_line(&Method::GET, LOOK_UP));
            return Ok(token);
        }
        let LookedUp { data } =
            judged(answer, LOOK_UP)?.json().map_err(|fault| down(LOOK_UP, &fault))?;
        token.live(data.ttl, data.renewable, asked);
        Ok(token)
    }

    async fn renew(&self, token: &Token) -> Result<Token, BackendFault> {
        let (asked, body) = (Instant::now(), serde_json::json!({}));
        let answer =
            self.api.send(Some(&token.value), Method::POST, RENEW, &[], Some(&body)).await?;
        let answer = allowed(answer, &Method::POST, RENEW)?;
        let LoggedIn { auth } = answer.json().map_err(|fault| down(RENEW, &fault))?;
        let mut renewed = Token::of(auth, asked);
        renewed.file.clone_from(&token.file);
        Ok(renewed)
    }

    /// The keeper's work when it is time.
    async fn tend(&self, token: &Arc<Token>) {
        if token.renewable {
            match self.renew(token).await {
                // Near the end of what its role allows, renewals get shorter and shorter.
                Ok(renewed) if renewed.life * 2 >= token.life => {
                    let life = token.life;
                    self.replace(Token { life, ..renewed });
                    return;
                }
                Ok(_) => tracing::debug!("OpenBao's token has not long to live; logging in"),
                Err(fault) => {
                    tracing::warn!(%fault, "failed to renew the token of OpenBao: custody logs in again")
                }
            }
        }
        if let Err(fault) = self.log_in(Some(token)).await {
            tracing::warn!(%fault, "failed to log in at OpenBao: custody uses the token until it ends");
        }
    }
}

/// Renews the token ahead of its end, for as long as somebody uses it.
async fn keep(tokens: Weak<Tokens>) {
    loop {
        let Some(held) = tokens.upgrade() else { return };
        let current = held.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let due = current.as_ref().and_then(|token| token.due);
        // Looks up now and then, so that it ends when nobody is left.
        let look_up = Instant::now() + Duration::from_secs(30);
        match (current, due) {
            (Some(token), Some(due)) if due <= Instant::now() => {
                held.tend(&token).await;
                let after = held.current.read().unwrap_or_else(PoisonError::into_inner).clone();
                if after.is_some_and(|after| Arc::ptr_eq(&after, &token)) {
                    drop(held);
                    tokio::time::sleep(PAUSE).await;
                }
            }
            (_, due) => {
                // The wait must not keep what it waits for.
                let until = due.unwrap_or(look_up).min(look_up);
                let changed = Arc::clone(&held.changed);
                drop(held);
                tokio::select! {
                    () = changed.notified() => {}
                    () = sleep_until(until) => {}
                }
            }
        }
    }
}

// === impl Token ===

impl Token {
    fn of(auth: Auth, asked: Instant) -> Self {
        let Auth { client_token, lease_duration, renewable } = auth;
        let mut token = Self::new(client_token, asked);
        token.live(lease_duration, renewable, asked);
        token
    }

    /// One whose end is not known.
    fn new(value: Secret, since: Instant) -> Self {
        let (ends, due, renewable, life, file) = (None, None, false, Duration::ZERO, None);
        Self { value, ends, due, renewable, life, since, file }
    }

    /// Counted from when it was asked for, so that it ends here before it ends there.
    fn live(&mut self, seconds: u64, renewable: bool, asked: Instant) {
        self.renewable = renewable;
        self.life = Duration::from_secs(seconds);
        if seconds > 0 {
            self.ends = asked.checked_add(self.life);
            self.due = asked.checked_add(self.life * 2 / 3);
        }
    }

    /// How long it has, in whole seconds; `None`: it does not end.
    pub(super) fn seconds_left(&self) -> Option<u64> {
        self.ends.map(|ends| ends.saturating_duration_since(Instant::now()).as_secs())
    }
}

fn of(text: &Secret) -> Result<&str, BackendFault> {
    std::str::from_utf8(text.expose())
        .map_err(|_| BackendFault::Unreadable("a file for the login is not text".into()))
}
