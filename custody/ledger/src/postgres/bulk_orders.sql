-- Orders to end many leases that are under way. They are few, and each goes when it is done.
CREATE TABLE bulk_order (
    kind          TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    revokes_each  BOOLEAN NOT NULL,
    by_whom       TEXT    NOT NULL,
    ordered_at    BIGINT  NOT NULL,
    busy_until    BIGINT  NOT NULL,
    PRIMARY KEY (kind, name, revokes_each)
);
