-- Contacts are listed in the order of their ids, which the primary key has. The oldest with a phone is the first of its
-- rows here, so that whoever looks for it reads one row, however many have that phone.
DROP INDEX contacts_tenant_id_created_at_id_idx;
DROP INDEX contacts_tenant_id_phone_idx;
CREATE INDEX contacts_tenant_id_phone_id_idx ON contacts (tenant_id, phone, id);
