-- The leases of a target in the order of their ends, to end them before their time.
CREATE INDEX lease_by_actor ON lease (actor, expires_at, number);
CREATE INDEX lease_by_handle ON lease (handle, expires_at, number);
