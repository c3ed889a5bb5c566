DROP INDEX contacts_tenant_id_phone_id_idx;
CREATE INDEX contacts_tenant_id_phone_idx ON contacts (tenant_id, phone);
CREATE INDEX contacts_tenant_id_created_at_id_idx ON contacts (tenant_id, created_at DESC, id);
