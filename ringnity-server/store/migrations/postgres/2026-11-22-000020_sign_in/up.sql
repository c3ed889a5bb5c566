-- What takes an owner from the owner's dashboard into the workspace: once, and only while the session that
-- asked for it lives.
CREATE TABLE workspace_entry_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES session_families (id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ,
    FOREIGN KEY (tenant_id, owner_id) REFERENCES owners (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX workspace_entry_tokens_tenant_id_owner_id_idx ON workspace_entry_tokens (tenant_id, owner_id);
CREATE INDEX workspace_entry_tokens_session_id_idx ON workspace_entry_tokens (session_id);
CREATE INDEX workspace_entry_tokens_expires_at_idx ON workspace_entry_tokens (expires_at);

-- As whom an owner is known elsewhere: by issuer and subject, never by email, which may change hands.
CREATE TABLE owner_identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    email TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_login_at TIMESTAMPTZ,
    PRIMARY KEY (issuer, subject),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES owners (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX owner_identities_tenant_id_owner_id_issuer_key
    ON owner_identities (tenant_id, owner_id, issuer);

-- The member of the staff that an owner is in the workspace.
CREATE TABLE owner_agents (
    tenant_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    PRIMARY KEY (tenant_id, owner_id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES owners (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX owner_agents_tenant_id_agent_id_key ON owner_agents (tenant_id, agent_id);
