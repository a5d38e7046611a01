-- Which versions of credentials were given out; never goes back.
CREATE TABLE counter (
    one           BIGINT PRIMARY KEY CHECK (one = 1),
    last_version  BIGINT  NOT NULL
);
INSERT INTO counter VALUES (1, 0);

-- Root keys that seal, or sealed, a credential. The keys themselves are elsewhere.
CREATE TABLE seal_key (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    salt        BYTEA   NOT NULL,
    key_check   BYTEA   NOT NULL,
    created_at  BIGINT  NOT NULL
);

CREATE TABLE credential (
    actor      TEXT    NOT NULL,
    handle     TEXT    NOT NULL,
    version    BIGINT  NOT NULL UNIQUE,
    -- A row whose key is forgotten would never open again.
    key        TEXT    NOT NULL REFERENCES seal_key (id),
    shape      TEXT    NOT NULL,
    envelope   BYTEA   NOT NULL,
    stored_at  BIGINT  NOT NULL,
    PRIMARY KEY (actor, handle)
);
CREATE INDEX credential_by_key ON credential (key);

CREATE TABLE lease (
    number       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lease_id     TEXT    NOT NULL UNIQUE,
    session      TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    handle       TEXT    NOT NULL,
    destination  TEXT    NOT NULL,
    binding      TEXT    NOT NULL CHECK (binding IN ('session', 'single_use')),
    issued_at    BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    backend      TEXT    NOT NULL,
    revocation   TEXT,
    -- What the edge told of it, once.
    outcome      TEXT    CHECK (outcome IN ('accepted', 'delivered', 'failed')),
    failure_code TEXT,
    settled_at   BIGINT
);
CREATE INDEX lease_by_session ON lease (session);
CREATE INDEX lease_by_end ON lease (expires_at);

CREATE TABLE session (
    id         TEXT    PRIMARY KEY,
    last_seen  BIGINT  NOT NULL
);

CREATE TABLE reservation (
    key           BYTEA   PRIMARY KEY CHECK (length(key) = 32),
    lease_id      TEXT    NOT NULL UNIQUE,
    session       TEXT    NOT NULL,
    handle        TEXT    NOT NULL,
    destination   TEXT    NOT NULL,
    purpose       TEXT    NOT NULL,
    budget        BIGINT  NOT NULL,
    attempts      BIGINT  NOT NULL DEFAULT 0 CHECK (attempts <= budget),
    state         TEXT    NOT NULL CHECK (state IN ('held', 'idle', 'released', 'settled')),
    holder        TEXT    NOT NULL,
    held_until    BIGINT  NOT NULL,
    keep_until    BIGINT  NOT NULL
);
CREATE INDEX reservation_by_end ON reservation (keep_until);

CREATE TABLE revocation (
    kind      TEXT    NOT NULL CHECK (kind IN ('session', 'lease', 'handle', 'actor')),
    name      TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    until     BIGINT ,
    by_whom   TEXT    NOT NULL,
    -- The change that told it last.
    sequence  BIGINT  NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE kill_switch (
    one    BIGINT PRIMARY KEY CHECK (one = 1),
    is_on  BOOLEAN NOT NULL
);
INSERT INTO kill_switch VALUES (1, false);

-- The feed. Old rows go, the newest never does: it is where a reader that knows everything stands.
CREATE TABLE change (
    sequence  BIGINT  PRIMARY KEY,
    tag       TEXT    NOT NULL,
    what      TEXT    NOT NULL,
    kind      TEXT,
    name      TEXT,
    until     BIGINT 
);
INSERT INTO change VALUES (0, replace(gen_random_uuid()::text, '-', ''), 'begin', NULL, NULL, NULL);

CREATE TABLE held_lock (
    name        TEXT    PRIMARY KEY,
    owner       TEXT    NOT NULL,
    held_until  BIGINT  NOT NULL
);

CREATE TABLE notice (
    id        TEXT    PRIMARY KEY,
    at        BIGINT  NOT NULL,
    backend   TEXT    NOT NULL,
    actor     TEXT    NOT NULL,
    handle    TEXT    NOT NULL,
    code      TEXT    NOT NULL,
    tries     BIGINT  NOT NULL,
    next_try  BIGINT  NOT NULL
);
CREATE INDEX notice_by_next_try ON notice (next_try);
