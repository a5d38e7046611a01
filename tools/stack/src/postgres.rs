//! A real PostgreSQL for tests and demos: where its programs come from ([`programs`]), and a server
//! of one's own with a new, empty cluster of databases ([`server`]). A PgBouncer can stand in front of it.
//!
//! All of it blocks: call it from a thread, or inside `spawn_blocking` in async code.

mod crash;
mod pgbouncer;
pub mod programs;
pub mod server;
mod template;
mod unprivileged;

pub use pgbouncer::{PgBouncer, PoolMode, RunningPgBouncer};
pub use programs::PostgresPrograms;
pub use server::{Postgres, PostgresOptions};
