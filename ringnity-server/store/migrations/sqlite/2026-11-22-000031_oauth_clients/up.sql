-- Applications that sign people in with Ringnity. client_id is what they call themselves by, over all tenants.
-- secret_hash is null for public clients, which cannot keep a secret. A client with revoked_at opens nothing.
CREATE TABLE oauth_clients (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    name TEXT NOT NULL,
    client_type TEXT NOT NULL,
    secret_hash TEXT,
    redirect_uris TEXT NOT NULL,
    allowed_scopes TEXT NOT NULL,
    require_pkce BOOLEAN NOT NULL,
    last_used_at TEXT,
    revoked_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX oauth_clients_client_id_key ON oauth_clients (client_id);
CREATE INDEX oauth_clients_tenant_id_created_at_id_idx ON oauth_clients (tenant_id, created_at DESC, id);
