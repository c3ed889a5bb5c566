DROP INDEX events_tenant_id_created_at_idx;
CREATE INDEX events_tenant_id_sequence_idx ON events (tenant_id, sequence);
DROP INDEX events_tenant_id_subject_idx;
ALTER TABLE events DROP COLUMN subject;
