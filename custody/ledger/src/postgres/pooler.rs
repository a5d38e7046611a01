//! Finds a connection pooler between custody and the database that gives each transaction another
//! connection.
//!
//! Behind such a pooler the settings of a session are lost, prepared statements are absent, and
//! `LISTEN` receives nothing. Custody looks for the last of these: it listens on one connection,
//! notifies on another, and waits. A pooler that keeps a connection for the whole session passes.

use super::connect::Connector;
use super::fault::{ConnectFault, down};
use crate::LedgerFault;
use custody_base::names::fresh_id;
use std::future::poll_fn;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client};

/// How long a notification may take. One that the database has sent comes in milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);
/// The limit of the whole probe.
const LIMIT: Duration = Duration::from_secs(5);

/// # Errors
/// [`ConnectFault::Pooled`], or the database does not answer.
pub(super) async fn refuse(connector: &Connector) -> Result<(), ConnectFault> {
    let (listener, mut messages) = connector.connect().await?;
    let (heard, mut hearing) = watch::channel(false);
    let reading = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| messages.poll_message(context)).await {
            if matches!(message, AsyncMessage::Notification(_)) {
                heard.send_replace(true);
            }
        }
    });
    let probed = timeout(LIMIT, probe(connector, &listener, &mut hearing)).await;
    reading.abort();
    match probed {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(ConnectFault::Pooled),
        Ok(Err(fault)) => Err(fault.into()),
        Err(_) => Err(LedgerFault::Down("the database did not answer in time".into()).into()),
    }
}

/// Whether the listener gets the notification of another connection.
async fn probe(
    connector: &Connector,
    listener: &Client,
    hearing: &mut watch::Receiver<bool>,
) -> Result<bool, LedgerFault> {
    let failed = |error: tokio_postgres::Error| down(&error);
    let channel =
        fresh_id("leasehold_probe").map_err(|error| LedgerFault::Down(error.to_string()))?;
    listener.batch_execute(&format!("LISTEN \"{channel}\"")).await.map_err(failed)?;
    let (notifier, connection) = connector.connect().await?;
    let driver = tokio::spawn(connection);
    let notified = notifier.batch_execute(&format!("NOTIFY \"{channel}\"")).await;
    driver.abort();
    notified.map_err(failed)?;
    if timeout(PATIENCE, hearing.wait_for(|heard| *heard)).await.is_ok_and(|heard| heard.is_ok()) {
        return Ok(true);
    }
    // A database that is slow sends it ahead of this answer.
    listener.batch_execute("SELECT").await.map_err(failed)?;
    Ok(*hearing.borrow())
}
