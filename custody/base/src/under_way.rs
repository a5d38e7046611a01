//! Work that goes on when its caller has gone. Custody's own end waits for it: a rotated refresh token that
//! is not stored is lost, and a value that is not taken back lives on at its backend.

use std::sync::LazyLock;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How many there are, of this process: it has one end.
static COUNT: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// How long custody's end waits. With the grace of connections it is under the 30 seconds after which
/// Kubernetes kills a container.
const FAREWELL: Duration = Duration::from_secs(15);

/// One of [`COUNT`], also if it panics or is aborted.
struct One;

/// Works on a task of its own.
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    COUNT.send_modify(|count| *count += 1);
    let one = One;
    tokio::spawn(async move {
        let _one = one;
        work.await
    })
}

/// Returns when nothing is under way, or it takes too long.
pub async fn finish() {
    let mut count = COUNT.subscribe();
    let ended = timeout(FAREWELL, count.wait_for(|count| *count == 0)).await.is_ok();
    if !ended {
        let left = *count.borrow();
        tracing::warn!(left, "custody cuts off tasks that did not end within {FAREWELL:?}");
    }
}

impl Drop for One {
    fn drop(&mut self) {
        COUNT.send_modify(|count| *count -= 1);
    }
}
