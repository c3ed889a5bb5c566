-- Who visits. external_id is an identity that the customer's backend vouched for, and only that: what a visitor
-- says of itself stands in claimed_external_id and finds nobody.
CREATE TABLE visitors (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    external_id TEXT,
    claimed_external_id TEXT,
    name TEXT,
    email TEXT,
    phone TEXT,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX visitors_tenant_id_external_id_key ON visitors (tenant_id, external_id);

-- What a visitor context token vouches for. It stays here, so that a page that carries the token carries nobody's
-- name and no token is too long to be sent.
CREATE TABLE visitor_contexts (
    family_id TEXT NOT NULL PRIMARY KEY REFERENCES session_families (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    external_id TEXT,
    name TEXT,
    email TEXT,
    phone TEXT,
    metadata TEXT NOT NULL
);
CREATE INDEX visitor_contexts_tenant_id_idx ON visitor_contexts (tenant_id);

-- Where to send push notifications: one row for a device and provider, and one for a token. token is null while
-- nothing may be sent; its hash stays, so that the same token is known again, and because tokens are longer than
-- an index takes.
CREATE TABLE device_push_tokens (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    platform TEXT NOT NULL,
    provider TEXT NOT NULL,
    token TEXT,
    token_hash TEXT NOT NULL,
    device_id TEXT,
    app_id TEXT,
    audience TEXT NOT NULL,
    external_id TEXT,
    agent_id TEXT,
    call_mode TEXT NOT NULL,
    metadata TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX device_push_tokens_tenant_id_provider_token_hash_key
    ON device_push_tokens (tenant_id, provider, token_hash);
CREATE UNIQUE INDEX device_push_tokens_tenant_id_provider_device_id_key
    ON device_push_tokens (tenant_id, provider, device_id);
CREATE INDEX device_push_tokens_tenant_id_subject_kind_subject_id_idx
    ON device_push_tokens (tenant_id, subject_kind, subject_id);

-- A browser asks whether it may ask before it says which tenant it is about.
CREATE INDEX tenant_domains_domain_idx ON tenant_domains (domain);
