-- Which versions of credentials were given out; never goes back.
CREATE TABLE counter (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    last_version  INTEGER NOT NULL
) STRICT;
INSERT INTO counter VALUES (1, 0);

-- Root keys that seal, or sealed, a credential. The keys themselves are elsewhere.
CREATE TABLE seal_key (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    salt        BLOB    NOT NULL,
    key_check   BLOB    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE credential (
    actor      TEXT    NOT NULL,
    handle     TEXT    NOT NULL,
    version    INTEGER NOT NULL UNIQUE,
    -- A row whose key is forgotten would never open again.
    key        TEXT    NOT NULL REFERENCES seal_key (id),
    shape      TEXT    NOT NULL,
    envelope   BLOB    NOT NULL,
    stored_at  INTEGER NOT NULL,
    PRIMARY KEY (actor, handle)
) STRICT, WITHOUT ROWID;
CREATE INDEX credential_by_key ON credential (key);

CREATE TABLE lease (
    number       INTEGER PRIMARY KEY,
    lease_id     TEXT    NOT NULL UNIQUE,
    session      TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    handle       TEXT    NOT NULL,
    destination  TEXT    NOT NULL,
    binding      TEXT    NOT NULL CHECK (binding IN ('session', 'single_use')),
    issued_at    INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    backend      TEXT    NOT NULL,
    revocation   TEXT,
    -- What the edge told of it, once.
    outcome      TEXT    CHECK (outcome IN ('accepted', 'delivered', 'failed')),
    failure_code TEXT,
    settled_at   INTEGER
) STRICT;
CREATE INDEX lease_by_session ON lease (session);

CREATE TABLE session (
    id         TEXT    PRIMARY KEY,
    last_seen  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reservation (
    key           BLOB    PRIMARY KEY CHECK (length(key) = 32),
    lease_id      TEXT    NOT NULL UNIQUE,
    session       TEXT    NOT NULL,
    handle        TEXT    NOT NULL,
    destination   TEXT    NOT NULL,
    purpose       TEXT    NOT NULL,
    budget        INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts <= budget),
    state         TEXT    NOT NULL CHECK (state IN ('held', 'idle', 'released', 'settled')),
    holder        TEXT    NOT NULL,
    held_until    INTEGER NOT NULL,
    keep_until    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_by_end ON reservation (keep_until);

CREATE TABLE revocation (
    kind      TEXT    NOT NULL CHECK (kind IN ('session', 'lease', 'handle', 'actor')),
    name      TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    until     INTEGER,
    by_whom   TEXT    NOT NULL,
    -- The change that told it last.
    sequence  INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE kill_switch (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    is_on  INTEGER NOT NULL CHECK (is_on IN (0, 1))
) STRICT;
INSERT INTO kill_switch VALUES (1, 0);

-- The feed. Old rows go, the newest never does: it is where a reader that knows everything stands.
CREATE TABLE change (
    sequence  INTEGER PRIMARY KEY,
    tag       TEXT    NOT NULL,
    what      TEXT    NOT NULL,
    kind      TEXT,
    name      TEXT,
    until     INTEGER
) STRICT;
INSERT INTO change VALUES (0, lower(hex(randomblob(16))), 'begin', NULL, NULL, NULL);

CREATE TABLE held_lock (
    name        TEXT    PRIMARY KEY,
    owner       TEXT    NOT NULL,
    held_until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notice (
    id        TEXT    PRIMARY KEY,
    at        INTEGER NOT NULL,
    backend   TEXT    NOT NULL,
    actor     TEXT    NOT NULL,
    handle    TEXT    NOT NULL,
    code      TEXT    NOT NULL,
    tries     INTEGER NOT NULL,
    next_try  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_by_next_try ON notice (next_try);
