//! Values that go back to their backends before their time.

use super::Resolver;
use custody_base::under_way;
use futures_util::stream::{self, StreamExt};
use std::sync::{Arc, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// How many a backend is asked for at a time, for all orders together.
const AT_ONCE: usize = 8;

impl Resolver {
    /// Asks the backends to revoke their values: each by its name, and with its own reference to the
    /// value. It is best-effort, and what cannot be taken back still ends by itself. The task ends when
    /// every backend has been asked; nobody has to wait for it.
    pub fn revoke_all(
        self: &Arc<Self>,
        given: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> JoinHandle<()> {
        let known = given.into_iter().filter_map(|(backend, known)| Some((backend, known?)));
        let known: Vec<_> = known.collect();
        let resolver = Arc::clone(self);
        under_way::spawn(async move {
            let each = stream::iter(known).for_each_concurrent(AT_ONCE, |(backend, revocation)| {
                let resolver = Arc::clone(&resolver);
                async move {
                    // Nobody closes it.
                    let _turn = resolver.turns(&backend).acquire_owned().await;
                    resolver.revoke(&backend, &revocation).await;
                }
            });
            each.await;
        })
    }

    /// A backend that hangs keeps only its own values waiting.
    fn turns(&self, backend: &str) -> Arc<Semaphore> {
        let mut turns = self.revoking.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Semaphore::new(AT_ONCE));
        turns.entry(backend.to_owned()).or_insert_with(new).clone()
    }
}
