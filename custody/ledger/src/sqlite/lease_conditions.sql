-- A lease is recorded only if its handle and actor were neither revoked, restored nor torn down since its
-- admission. Changes of sessions and leases, which are many, are not in the index.
CREATE INDEX change_of_owner ON change (kind, name, sequence) WHERE kind = 'handle' OR kind = 'actor';
