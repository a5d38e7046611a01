-- The leases of a target in the order of their ends, to end them before their time. SQLite adds `number`.
CREATE INDEX lease_by_actor ON lease (actor, expires_at);
CREATE INDEX lease_by_handle ON lease (handle, expires_at);
