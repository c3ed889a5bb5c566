-- What a session was made with: an id of server_credentials or oauth_clients. Ending that ends the session. No
-- reference, because it may be either, and neither goes away before its sessions do.
ALTER TABLE session_families ADD COLUMN credential_id TEXT;
CREATE INDEX session_families_tenant_id_credential_id_idx ON session_families (tenant_id, credential_id);
