-- A lease is recorded only if its handle and actor were neither revoked, restored nor torn down since its
-- admission. Changes of sessions and leases, which are many, are not in the index.
CREATE INDEX change_of_owner ON change (kind, name, sequence) WHERE kind = 'handle' OR kind = 'actor';

DROP FUNCTION record_lease(TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, BIGINT, BIGINT, TEXT, TEXT, BOOLEAN);
-- Records a lease, releases its reservation and returns 'written'; or writes nothing and returns what forbids
-- it. A function, so that one question takes the lock first and looks afterwards: each statement of a
-- volatile PL/pgSQL function sees what was committed when that statement began. The lock is the one that
-- changes of the feed and of stored secrets hold alone (FEED in revocations.rs): a lease is written before
-- such a change, or with it in sight.
CREATE FUNCTION record_lease(
    its_id TEXT, its_session TEXT, its_subject TEXT, its_actor TEXT, its_handle TEXT,
    its_destination TEXT, its_binding TEXT, its_issue BIGINT, its_end BIGINT, its_backend TEXT,
    its_revocation TEXT, as_of BIGINT, from_actors TEXT[], from_handles TEXT[], from_origins BIGINT[],
    its_key BYTEA, its_holder TEXT
) RETURNS TEXT LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    checked TEXT;
BEGIN
    IF its_key IS NULL THEN
        -- Its commit does not wait for the disk; the setting ends with the transaction.
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    PERFORM pg_advisory_xact_lock_shared(1279813220);
    checked := CASE
        -- A kill switch without a row counts as on.
        WHEN (SELECT is_on FROM kill_switch) IS DISTINCT FROM false THEN 'kill_switch'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'session' AND name = its_session)
            THEN 'session'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'handle' AND name = its_handle)
            THEN 'handle'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'actor' AND name = its_actor)
            THEN 'actor'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'lease' AND name = its_id)
            THEN 'lease'
        WHEN EXISTS (
            SELECT 1 FROM change WHERE kind = 'handle' AND name = its_handle AND sequence > as_of)
            THEN 'stale'
        WHEN EXISTS (
            SELECT 1 FROM change WHERE kind = 'actor' AND name = its_actor AND sequence > as_of)
            THEN 'stale'
        -- The changes since then may have been forgotten.
        WHEN NOT EXISTS (SELECT 1 FROM change WHERE sequence <= as_of) THEN 'stale'
        WHEN EXISTS (
            SELECT 1 FROM unnest(from_actors, from_handles, from_origins) AS secret (a, h, o)
            WHERE NOT EXISTS (
                SELECT 1 FROM credential WHERE actor = a AND handle = h AND origin = o))
            THEN 'stale'
        ELSE 'written' END;
    IF checked = 'written' AND its_key IS NOT NULL THEN
        UPDATE reservation SET state = 'released'
        WHERE key = its_key AND holder = its_holder AND state = 'held';
        IF NOT FOUND THEN
            checked := 'lost';
        END IF;
    END IF;
    IF checked = 'written' THEN
        INSERT INTO lease (lease_id, session, subject, actor, handle, destination, binding,
            issued_at, expires_at, backend, revocation)
        VALUES (its_id, its_session, its_subject, its_actor, its_handle, its_destination,
            its_binding, its_issue, its_end, its_backend, its_revocation)
        ON CONFLICT (lease_id) DO UPDATE SET expires_at = excluded.expires_at,
            backend = excluded.backend, revocation = excluded.revocation;
        INSERT INTO session (id, last_seen) VALUES (its_session, its_issue)
        ON CONFLICT (id) DO UPDATE
            SET last_seen = greatest(session.last_seen, excluded.last_seen);
    END IF;
    RETURN checked;
END
$$;
