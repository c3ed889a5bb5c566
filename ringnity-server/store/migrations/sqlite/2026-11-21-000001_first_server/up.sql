-- Ids are prefixed, time-ordered text; timestamps are UTC with microseconds; JSON is text; money is integer cents.
-- What a tenant owns has (tenant_id, id) as its key, and refers to siblings with the tenant in the reference:
-- a row of one tenant cannot point at a row of another. Unique indexes are named table_columns_key, because
-- the store derives that name from SQLite's error messages.

CREATE TABLE plans (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    sort_order BIGINT NOT NULL,
    is_active BOOLEAN NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX plans_slug_key ON plans (slug);

CREATE TABLE plan_feature_keys (
    feature_key TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL,
    sort_order BIGINT NOT NULL
);

CREATE TABLE plan_quota_keys (
    quota_key TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    category TEXT NOT NULL,
    description TEXT NOT NULL,
    sort_order BIGINT NOT NULL
);

CREATE TABLE plan_features (
    plan_id TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    feature_key TEXT NOT NULL REFERENCES plan_feature_keys (feature_key) ON DELETE CASCADE,
    enabled BOOLEAN NOT NULL,
    config TEXT NOT NULL,
    PRIMARY KEY (plan_id, feature_key)
);

-- limit_value counts only where value_type is 'number'.
CREATE TABLE plan_quotas (
    plan_id TEXT NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    quota_key TEXT NOT NULL REFERENCES plan_quota_keys (quota_key) ON DELETE CASCADE,
    value_type TEXT NOT NULL,
    limit_value BIGINT,
    reset_period TEXT,
    config TEXT NOT NULL,
    PRIMARY KEY (plan_id, quota_key)
);

CREATE TABLE tenants (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL,
    public_key TEXT NOT NULL,
    name TEXT,
    company_name TEXT,
    email TEXT NOT NULL,
    phone TEXT,
    industry TEXT,
    logo_url TEXT,
    timezone TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    onboarding_completed BOOLEAN NOT NULL,
    plan_id TEXT NOT NULL REFERENCES plans (id),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX tenants_slug_key ON tenants (slug);
CREATE UNIQUE INDEX tenants_public_key_key ON tenants (public_key);

CREATE TABLE tenant_domains (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    domain TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, domain)
);

-- The plan itself stands in tenants.plan_id, once; this is how it is being paid for.
CREATE TABLE subscriptions (
    tenant_id TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    current_period_start TEXT,
    current_period_end TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

-- email is kept lower-case: it is what one signs in with.
CREATE TABLE owners (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    password_hash TEXT,
    name TEXT,
    is_active BOOLEAN NOT NULL,
    last_login_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX owners_email_key ON owners (email);

CREATE TABLE departments (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX departments_tenant_id_name_key ON departments (tenant_id, name);

CREATE TABLE agents (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    username TEXT NOT NULL,
    password_hash TEXT,
    name TEXT NOT NULL,
    email TEXT,
    role TEXT NOT NULL,
    department_id TEXT,
    is_active BOOLEAN NOT NULL,
    last_login_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, department_id) REFERENCES departments (tenant_id, id)
);
CREATE UNIQUE INDEX agents_tenant_id_username_key ON agents (tenant_id, username);
CREATE INDEX agents_tenant_id_department_id_idx ON agents (tenant_id, department_id);

CREATE TABLE platform_admins (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    last_login_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX platform_admins_email_key ON platform_admins (email);

CREATE TABLE server_credentials (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    environment TEXT NOT NULL,
    scopes TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    secret_preview TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    last_used_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX server_credentials_secret_hash_key ON server_credentials (secret_hash);
CREATE INDEX server_credentials_tenant_id_created_at_id_idx
    ON server_credentials (tenant_id, created_at DESC, id);

-- One signing-in, and every refresh token that came of it. tenant_id is null for platform admins.
CREATE TABLE session_families (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id) ON DELETE CASCADE,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    revoked_reason TEXT
);
CREATE INDEX session_families_subject_kind_subject_id_idx ON session_families (subject_kind, subject_id);
CREATE INDEX session_families_tenant_id_idx ON session_families (tenant_id);
CREATE INDEX session_families_expires_at_idx ON session_families (expires_at);

CREATE TABLE refresh_tokens (
    token_hash TEXT NOT NULL PRIMARY KEY,
    family_id TEXT NOT NULL REFERENCES session_families (id) ON DELETE CASCADE,
    issued_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    used_at TEXT
);
CREATE INDEX refresh_tokens_family_id_idx ON refresh_tokens (family_id);

-- active is 'active' while the key signs and null afterwards: one signing key for each purpose, by the index.
CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    private_key TEXT NOT NULL,
    public_key TEXT,
    active TEXT,
    created_at TEXT NOT NULL,
    retired_at TEXT
);
CREATE UNIQUE INDEX signing_keys_purpose_active_key ON signing_keys (purpose, active);

-- search_text is what a search looks through: name, phone, email and company, lower-case. tags repeats
-- contact_tags in the order in which they were given.
CREATE TABLE contacts (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    external_id TEXT,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    email TEXT,
    company TEXT,
    tags TEXT NOT NULL,
    notes TEXT,
    source TEXT,
    search_text TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX contacts_tenant_id_external_id_key ON contacts (tenant_id, external_id);
CREATE INDEX contacts_tenant_id_phone_idx ON contacts (tenant_id, phone);
CREATE INDEX contacts_tenant_id_created_at_id_idx ON contacts (tenant_id, created_at DESC, id);

CREATE TABLE contact_tags (
    tenant_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (tenant_id, contact_id, tag),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX contact_tags_tenant_id_tag_contact_id_idx ON contact_tags (tenant_id, tag, contact_id);

-- How many contacts a tenant has is the sum of its shards: an exact total that costs the same at any size,
-- spread so that writers on PostgreSQL seldom meet on one row. A single shard may be negative.
CREATE TABLE contact_totals (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    shard BIGINT NOT NULL,
    total BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, shard)
);

-- The outbox: what happened, in the transaction in which it happened.
CREATE TABLE events (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE UNIQUE INDEX events_id_key ON events (id);
CREATE INDEX events_tenant_id_sequence_idx ON events (tenant_id, sequence);
