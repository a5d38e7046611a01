-- Records a lease and returns 'written', or writes nothing and returns what forbids it. A function, so
-- that one question takes the lock first and looks afterwards: each statement of a volatile PL/pgSQL
-- function sees what was committed when that statement began. The lock is the one that changes of the
-- feed hold alone (FEED in revocations.rs): a lease is written before a revocation, or not at all.
CREATE FUNCTION record_lease(
    its_id TEXT, its_session TEXT, its_subject TEXT, its_actor TEXT, its_handle TEXT,
    its_destination TEXT, its_binding TEXT, its_issue BIGINT, its_end BIGINT, its_backend TEXT,
    its_revocation TEXT, is_stored BOOLEAN
) RETURNS TEXT LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    checked TEXT;
BEGIN
    -- Its commit does not wait for the disk; the setting ends with the transaction.
    PERFORM set_config('synchronous_commit', 'off', true);
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
        WHEN is_stored AND NOT EXISTS (
            SELECT 1 FROM credential WHERE actor = its_actor AND handle = its_handle)
            THEN 'absent'
        ELSE 'written' END;
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
