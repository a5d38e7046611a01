//! One call: a connection, and the time there is for it.

use super::fault::down;
use crate::{LedgerFault, OBSERVER};
use deadpool_postgres::{Object, Pool, PoolError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

/// A connection of the pool. One that is dropped before [`Call::finish`] (a fault, a caller that went
/// away) is closed, since answers may still be on their way.
pub(super) struct Call {
    /// `None` only while it is dropped.
    connection: Option<Object>,
    end: Instant,
}

pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The longest any call takes, waiting for a connection included.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

// === impl Call ===

impl Call {
    pub(super) async fn begin(pool: &Pool, limit: Duration) -> Result<Self, LedgerFault> {
        let end = Instant::now() + limit;
        match timeout_at(end, pool.get()).await {
            Ok(Ok(connection)) => Ok(Self { connection: Some(connection), end }),
            Ok(Err(PoolError::Backend(error))) => Err(down(&error)),
            Ok(Err(other)) => Err(LedgerFault::Down(other.to_string())),
            Err(_) => Err(late()),
        }
    }

    pub(super) async fn rows(
        &self,
        statement: &str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, LedgerFault> {
        let connection = self.observed(statement)?;
        self.bounded(async {
            let statement = connection.prepare_cached(statement).await?;
            connection.query(&statement, values).await
        })
        .await
    }

    /// The first row, if there is one.
    pub(super) async fn row(
        &self,
        statement: &str,
        values: Values<'_>,
    ) -> Result<Option<Row>, LedgerFault> {
        Ok(self.rows(statement, values).await?.into_iter().next())
    }

    /// How many rows it changed.
    pub(super) async fn execute(
        &self,
        statement: &str,
        values: Values<'_>,
    ) -> Result<u64, LedgerFault> {
        let connection = self.observed(statement)?;
        self.bounded(async {
            let statement = connection.prepare_cached(statement).await?;
            connection.execute(&statement, values).await
        })
        .await
    }

    /// Statements without values: `BEGIN`, `COMMIT`.
    pub(super) async fn plain(&self, statements: &str) -> Result<(), LedgerFault> {
        let connection = self.connection()?;
        self.bounded(connection.batch_execute(statements)).await
    }

    /// All went well: the connection may be used again.
    pub(super) fn finish(mut self) {
        drop(self.connection.take());
    }

    /// The connection, for this statement.
    fn observed(&self, statement: &str) -> Result<&Object, LedgerFault> {
        if let Some(observer) = OBSERVER.get() {
            observer(statement);
        }
        self.connection()
    }

    fn connection(&self) -> Result<&Object, LedgerFault> {
        self.connection.as_ref().ok_or_else(|| LedgerFault::Down("the call is over".into()))
    }

    async fn bounded<T>(
        &self,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, LedgerFault> {
        match timeout_at(self.end, asking).await {
            Ok(answer) => answer.map_err(|error| down(&error)),
            Err(_) => Err(late()),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

fn late() -> LedgerFault {
    LedgerFault::Down("the database did not answer in time".into())
}
