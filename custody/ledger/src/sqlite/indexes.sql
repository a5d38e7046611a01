-- Lists are in the order in which leases end, so that the live ones stand together in an index. What ended
-- is found there too. The leases of a handle or an actor are found among the live ones: an index of each
-- would write to another page for each handle and actor, and make a lease nearly three times as dear.
CREATE INDEX lease_by_end ON lease (expires_at);
DROP INDEX lease_by_session;
CREATE INDEX lease_by_session ON lease (session, expires_at);

-- When housekeeping looks at the session next. An index of `last_seen` would change with every use of a
-- session. This column is at most `last_seen`, and only housekeeping moves it on: once in the time that
-- sessions are kept.
ALTER TABLE session ADD COLUMN check_after INTEGER NOT NULL DEFAULT 0;
UPDATE session SET check_after = last_seen;
CREATE INDEX session_by_check ON session (check_after);

CREATE INDEX held_lock_by_end ON held_lock (held_until);
CREATE INDEX revocation_by_end ON revocation (until) WHERE until IS NOT NULL;
