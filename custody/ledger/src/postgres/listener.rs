//! Receives the changes of other replicas, by a connection that listens. When it breaks, custody
//! connects again.

use super::connect::Connector;
use super::{call, fault};
use crate::LedgerFault;
use std::future::poll_fn;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client};

/// The task that listens; dropping it ends it.
pub(super) struct Listener {
    changed: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// The channel of changes (`NOTIFY`).
pub(super) const CHANNEL: &str = "leasehold_change";
/// Between two attempts to connect. Until one succeeds, readers that wait poll the ledger.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the connection is asked whether it is still one.
const PULSE: Duration = Duration::from_secs(5);

// === impl Listener ===

impl Listener {
    pub(super) fn start(connector: Connector) -> Self {
        let changed = watch::Sender::new(());
        let teller = changed.clone();
        let task = tokio::spawn(async move {
            loop {
                if let Err(fault) = listen(&connector, &teller).await {
                    tracing::warn!(%fault, "lost the LISTEN connection: custody polls the ledger instead");
                }
                sleep(PAUSE).await;
            }
        });
        Self { changed, task }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens until the connection breaks.
async fn listen(connector: &Connector, changed: &watch::Sender<()>) -> Result<(), LedgerFault> {
    let (client, mut connection) = connector.connect().await?;
    let reading = async {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(_))) => {
                    changed.send_replace(());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return fault::down(&error),
                None => return LedgerFault::Down("the listening connection was closed".into()),
            }
        }
    };
    tokio::select! {
        fault = reading => Err(fault),
        fault = keep(&client, changed) => Err(fault),
    }
}

/// Begins to listen, and returns when the connection has failed.
async fn keep(client: &Client, changed: &watch::Sender<()>) -> LedgerFault {
    let mut statement = format!("LISTEN {CHANNEL}");
    loop {
        match timeout(call::LIMIT, client.batch_execute(&statement)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return fault::down(&error),
            Err(_) => return LedgerFault::Down("the listening connection is silent".into()),
        }
        // What changed before we listened, nobody told us.
        if statement != "SELECT" {
            changed.send_replace(());
            statement = "SELECT".to_owned();
        }
        sleep(PULSE).await;
    }
}
