//! Values that go back to their backends before their time.

use super::Resolver;
use futures_util::stream::{self, StreamExt};
use std::sync::Arc;

/// How many are asked for at a time.
const AT_ONCE: usize = 8;

impl Resolver {
    /// Asks the backends to take back what they gave: each by its name, and with what it knows the
    /// value by. Nobody waits: it is best-effort, and what cannot be taken back still ends by itself.
    pub fn take_back(self: &Arc<Self>, given: impl IntoIterator<Item = (String, Option<String>)>) {
        let known = given.into_iter().filter_map(|(backend, known)| Some((backend, known?)));
        let known: Vec<_> = known.collect();
        if known.is_empty() {
            return;
        }
        let resolver = Arc::clone(self);
        tokio::spawn(async move {
            let each = stream::iter(known).for_each_concurrent(AT_ONCE, |(backend, revocation)| {
                let resolver = Arc::clone(&resolver);
                async move { resolver.revoke(&backend, &revocation).await }
            });
            each.await;
        });
    }
}
