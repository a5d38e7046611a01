-- The command that an order comes from, as the audit log has it. So far each lease was revoked by a teardown.
ALTER TABLE bulk_order ADD COLUMN action TEXT NOT NULL DEFAULT 'revoke';
UPDATE bulk_order SET action = 'cred.teardown' WHERE revokes_each;
