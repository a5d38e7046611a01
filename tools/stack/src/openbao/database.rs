//! The database engine of OpenBao on a PostgreSQL of ours: a role whose credentials are made when
//! somebody asks, and unmade when their lease ends. It is the one engine of OpenBao that makes
//! such credentials with no system of somebody else's.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::OpenBao;
use crate::postgres::Postgres;

/// A new user who may log in, until its lease ends.
const CREATION: &str = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' \
                        VALID UNTIL '{{expiration}}'";

// === impl OpenBao ===

impl OpenBao {
    /// Mounts the engine at `database/`, with `role`: `GET database/creds/ROLE` makes a user of
    /// `database` who lives for `ttl`, in whole seconds, and at most twice as long.
    ///
    /// # Errors
    /// The engine is mounted already, or OpenBao cannot log in to `postgres`.
    pub fn lease_users_of(
        &self,
        postgres: &Postgres,
        database: &str,
        role: &str,
        ttl: Duration,
    ) -> Result<()> {
        self.root("POST", "sys/mounts/database", &json!({"type": "database"}))?;
        // OpenBao looks for `{{password}}` in the URL, so that it can change the password.
        let url = postgres.url(database);
        let url = url.replacen(postgres.password(), "{{password}}", 1);
        let trust = format!("&sslrootcert={}", postgres.ca().display());
        let connection = json!({
            "plugin_name": "postgresql-database-plugin",
            "allowed_roles": [role],
            "connection_url": if url.ends_with("verify-full") { url + &trust } else { url },
            "username": postgres.user(),
            "password": postgres.password(),
        });
        self.root("POST", "database/config/postgres", &connection)?;
        let role_settings = json!({
            "db_name": "postgres",
            "creation_statements": [CREATION],
            "default_ttl": format!("{}s", ttl.as_secs()),
            "max_ttl": format!("{}s", ttl.as_secs() * 2),
        });
        self.root("POST", &format!("database/roles/{role}"), &role_settings)?;
        // A first user shows that it can make them, and goes again.
        let first = self.root("GET", &format!("database/creds/{role}"), &Value::Null)?;
        self.root(
            "POST",
            "sys/leases/revoke",
            &json!({"lease_id": first["lease_id"], "sync": true}),
        )
        .map(|_| ())
    }
}
