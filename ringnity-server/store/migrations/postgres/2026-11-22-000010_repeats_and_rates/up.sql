-- What was answered to requests with an idempotency key. Who asked, for what and under which key is only in the
-- hash that the row is found by; the answer is encrypted under the key, which is not here.
CREATE TABLE idempotency_keys (
    id TEXT NOT NULL PRIMARY KEY,
    request_hash TEXT NOT NULL,
    answer TEXT,
    lapses_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at);

-- Buckets of tokens, each as the time at which it is full again. A bucket without a row is full.
CREATE TABLE rate_buckets (
    id TEXT NOT NULL PRIMARY KEY,
    full_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX rate_buckets_full_at_idx ON rate_buckets (full_at);

-- From where an account was signed in to: hashes of account and address.
CREATE TABLE sign_in_places (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sign_in_places_expires_at_idx ON sign_in_places (expires_at);
