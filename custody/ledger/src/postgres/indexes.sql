-- Lists are in the order in which leases end, so that the live ones of a handle, an actor or a session
-- stand together in an index.
CREATE INDEX lease_by_handle ON lease (handle, expires_at, number);
CREATE INDEX lease_by_actor ON lease (actor, expires_at, number);
DROP INDEX lease_by_session;
CREATE INDEX lease_by_session ON lease (session, expires_at, number);

-- When housekeeping looks at the session next. An index of `last_seen` would change with every use of a
-- session, and PostgreSQL would write no update of it in place (HOT). This column is at most
-- `last_seen`, and only housekeeping moves it on: once in the time that sessions are kept.
ALTER TABLE session ADD COLUMN check_after BIGINT NOT NULL DEFAULT 0;
UPDATE session SET check_after = last_seen;
CREATE INDEX session_by_check ON session (check_after);
CREATE FUNCTION begin_session() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW.check_after := NEW.last_seen;
    RETURN NEW;
END
$$;
CREATE TRIGGER session_begins BEFORE INSERT ON session
    FOR EACH ROW EXECUTE FUNCTION begin_session();

CREATE INDEX held_lock_by_end ON held_lock (held_until);
CREATE INDEX revocation_by_end ON revocation (until) WHERE until IS NOT NULL;
