use super::*;
use crate::StoredSecret;
use crate::tokens::owner;
use custody_audit::recovery;
use custody_base::actor::Actor;
use custody_ledger::{Missing, SqliteLedger};
use lease::Handle;
use std::sync::Mutex as Lock;
use std::sync::atomic::AtomicBool;

const NOW: UnixSeconds = 1_000_000;

/// Its tokens are minted from no secret.
struct NoSecrets;

#[async_trait]
impl LongLived for NoSecrets {
    async fn read(&self, _: &Actor, _: &Handle) -> Result<StoredSecret, BackendFault> {
        Err(BackendFault::Absent)
    }

    async fn origin(&self, _: &Actor, _: &Handle) -> Result<Option<u64>, BackendFault> {
        Ok(None)
    }

    async fn replace(
        &self,
        _: &Actor,
        _: &Handle,
        _: u64,
        _: &Secret,
    ) -> Result<bool, BackendFault> {
        Ok(false)
    }
}

/// Takes note of what it is to revoke.
#[derive(Default)]
struct Noting(Lock<Vec<String>>);

#[async_trait]
impl Issuer for Noting {
    fn name(&self) -> &str {
        "noting"
    }

    async fn revoke(&self, token: &Secret) -> Result<bool, BackendFault> {
        self.0.lock().unwrap().push(String::from_utf8(token.expose().to_vec()).unwrap());
        Ok(true)
    }
}

async fn mint(name: String, now: UnixSeconds) -> Result<Token, BackendFault> {
    let (scope, minted_from, ended) = (Vec::new(), Vec::new(), AtomicBool::default());
    let (secret, expires_at) = (Secret::new(name), now + 3600);
    Ok(Token { secret, scope, minted_at: now, expires_at, minted_from, ended })
}

#[tokio::test]
async fn tokens_that_refusals_push_out_of_memory_are_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, log) = (folder.path().join("ledger"), folder.path().join("audit"));
    let ledger = Arc::new(SqliteLedger::open(&ledger, Missing::Create).unwrap());
    let (audit, _writing) = AuditLog::start(recovery::open(&log).unwrap()).await.unwrap();
    let issuer = Arc::new(Noting::default());
    let weak: Weak<Noting> = Arc::downgrade(&issuer);
    let tokens = LiveTokens::new(Arc::new(NoSecrets), ledger, audit, weak);
    let owner = owner(&"a".parse().unwrap(), &"h".parse().unwrap());
    let key = (owner.clone(), [1; 32]);
    for round in 0..7 {
        let at = NOW + 60 * round;
        let name = format!("token-{round}");
        let token = tokens.get(key.clone(), at, || mint(name.clone(), at)).await.unwrap();
        assert_eq!(token.secret.expose(), name.as_bytes());
        tokens.forget(&owner, at + 30);
    }
    tokens.sweep(NOW + 600).await.unwrap();
    let begun = std::time::Instant::now();
    let records = || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.lines().filter(|line| line.contains(r#""pushed_out""#)).count()
    };
    while records() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", issuer.0.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut revoked = issuer.0.lock().unwrap().clone();
    revoked.sort();
    assert_eq!(revoked, ["token-0", "token-1", "token-2"], "four are kept aside");
}
