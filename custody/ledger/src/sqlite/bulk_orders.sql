-- Orders to end many leases that are under way. They are few, and each goes when it is done.
CREATE TABLE bulk_order (
    kind          TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    revokes_each  INTEGER NOT NULL CHECK (revokes_each IN (0, 1)),
    by_whom       TEXT    NOT NULL,
    ordered_at    INTEGER NOT NULL,
    busy_until    INTEGER NOT NULL,
    PRIMARY KEY (kind, name, revokes_each)
) STRICT, WITHOUT ROWID;
