-- The version that somebody put: custody's own rotations keep it.
ALTER TABLE credential ADD COLUMN origin BIGINT NOT NULL DEFAULT 0;
UPDATE credential SET origin = version;
